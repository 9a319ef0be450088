"""Answers of Stripe that never came, or were stored as failures."""

from typing import Any, Final

from sandbox.chaos.orders import ALL_PAY, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage
from sandbox.demo.fates import CREATE_CALL

COUNT: Final = (60, 1000)
RATE: Final = 20.0  # payments a second
# The breaker opens after some failures, as it must; its pause is not what is measured here.
BREAKER: Final = {"TOLLGATE_STRIPE_BREAKER_RESET": "0.3"}


def lost(stage: Stage) -> Own:
    """Stripe makes each PaymentIntent and closes the connection instead of answering."""
    count = stage.size(*COUNT)
    return _play(stage, "L", count, [{"do": "drop", "match": {**CREATE_CALL, "times": count}}])


def stored(stage: Stage) -> Own:
    """Stripe answers with a 500 that it stores under the key: for one half after making the PaymentIntent."""
    count = stage.size(*COUNT)
    half = {**CREATE_CALL, "times": count // 2}
    rules = [
        {"do": "status", "status": 500, "effect": True, "match": half},
        {"do": "status", "status": 500, "effect": False, "stored": True, "match": half},
    ]
    return _play(stage, "S", count, rules)


def _play(stage: Stage, prefix: str, count: int, rules: list[dict[str, Any]]) -> Own:
    own = Own()
    stage.spoil_calls(*rules)
    stage.play(make_orders(count, f"{prefix}{stage.seed}", stage.chance, ALL_PAY), RATE)
    fired = sum(rule["fired"] for rule in stage.system.simulator.faults())
    own.figures["spoilt_answers"] = fired
    own.demand(fired >= count, f"only {fired} answers were spoilt instead of {count}")
    return own


LOST = Scenario(
    name="response_lost",
    title='1,000 "made at Stripe, response lost"',
    promise="0 duplicates",
    play=lost,
    settings=BREAKER,
)
STORED = Scenario(
    name="stored_500",
    title='1,000 "500 stored under the key"',
    promise="0 duplicates",
    play=stored,
    settings=BREAKER,
)
