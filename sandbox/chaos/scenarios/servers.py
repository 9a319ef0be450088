"""Redis and PostgreSQL, stopped hard again and again, and away for a minute at a time."""

from collections.abc import Callable
from typing import Final

from sandbox.chaos.fault_kinds import FaultKind, kill_redis, stop_postgres
from sandbox.chaos.invoice_orders import make_invoice_orders
from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.plan import in_turn
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

HARD: Final = (4, 20)
AWAY: Final = (1, 5)
AWAY_SECONDS: Final = (6, 60)
RATES: Final = (6, 3)  # payments a second; in a long run no more than two cores get done with all that follows
GAP: Final = 3.0  # seconds in which all goes on before the next
HARD_SECONDS: Final = (0.2, 2.0)  # down for so long before it is started again


def _play(stage: Stage, prefix: str, make: Callable[[float, float, str], FaultKind], what: str) -> Own:
    own = Own()
    hard, away, seconds = stage.size(*HARD), stage.size(*AWAY), float(stage.size(*AWAY_SECONDS))
    kinds = [make(*HARD_SECONDS, f"{what} hard")] * hard + [make(seconds, seconds, f"{what} away")] * away
    planned = in_turn(kinds, stage.chance, GAP)
    span = planned[-1].at + planned[-1].seconds + GAP
    rate = stage.size(*RATES)
    orders = make_orders(int(span * rate), f"{prefix}{stage.seed}", stage.chance, MIXED, impatient=True)
    invoices = make_invoice_orders(len(orders), f"{prefix}I{stage.seed}", stage.chance, impatient=True)
    stage.play(orders, rate, planned, invoices=invoices)
    fired = stage.toll.fired
    own.figures |= {"stopped_hard": fired[f"{what} hard"], "away": fired[f"{what} away"], "away_seconds": seconds}
    own.demand(fired[f"{what} hard"] >= hard, f"{what} stopped hard {fired[f'{what} hard']} times instead of {hard}")
    own.demand(fired[f"{what} away"] >= away, f"{what} away {fired[f'{what} away']} times instead of {away}")
    return own


REDIS = Scenario(
    name="redis",
    title="Redis killed hard 20 times, away 60 s 5 times",
    promise="lost 0 of what was answered 202",
    play=lambda stage: _play(stage, "R", kill_redis, "redis"),
)
POSTGRES = Scenario(
    name="postgres",
    title="PostgreSQL stopped by `immediate` 20 times, away 60 s 5 times",
    promise="lost 0, double 0",
    play=lambda stage: _play(stage, "P", stop_postgres, "postgres"),
)
