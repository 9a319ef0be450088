"""The scenarios: one for each row of the table of figures."""

from collections.abc import Sequence

from sandbox.chaos.scenarios import (
    answers,
    expired_key,
    faults,
    kills,
    outage,
    rescue,
    restore,
    same_key,
    servers,
    webhooks,
)
from sandbox.chaos.scenarios.scenario import Own, Scenario

# In the order of a long run: what is short comes first, so that an interrupted one has most of the figures.
SCENARIOS: Sequence[Scenario] = (
    faults.SCENARIO,
    rescue.SCENARIO,
    same_key.SCENARIO,
    answers.LOST,
    answers.STORED,
    expired_key.SCENARIO,
    outage.SCENARIO,
    restore.SCENARIO,
    webhooks.SCENARIO,
    servers.REDIS,
    servers.POSTGRES,
    kills.SCENARIO,
)

__all__ = ["SCENARIOS", "Own", "Scenario"]
