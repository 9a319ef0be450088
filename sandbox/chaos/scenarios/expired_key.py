"""Retries that come when Stripe has forgotten the idempotency key."""

from typing import Any, Final

from sandbox.chaos.orders import ALL_PAY, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage
from sandbox.demo.fates import CREATE_CALL

BATCH: Final = 20  # calls that hang at once: fewer than a worker has threads
BATCHES: Final = (2, 10)
HANG_SECONDS: Final = 6.0  # above the read timeout
DAY_AND_AN_HOUR: Final = 25 * 3600  # Stripe keeps keys for a day
HANGING_SECONDS: Final = 30.0  # until all calls of a batch hang
POLL_SECONDS: Final = 0.02
RATE: Final = 100.0  # a second: a batch at once
# Calls that time out open the breaker; with its usual pause no second batch would hang in time.
BREAKER: Final = {"TOLLGATE_STRIPE_BREAKER_RESET": "0.3"}


def play(stage: Stage) -> Own:
    """Let calls hang, after their effect or before it, and let 25 hours pass at Stripe while they do."""
    own = Own()
    forgotten = 0
    for number in range(stage.size(*BATCHES)):
        effect = number % 2 == 0
        rule: dict[str, Any] = {"do": "hang", "effect": effect, "seconds": HANG_SECONDS}
        stage.spoil_calls({**rule, "match": {**CREATE_CALL, "times": BATCH}})
        orders = make_orders(BATCH, f"X{stage.seed}-{number}", stage.chance, ALL_PAY)
        stage.begin(orders, RATE)
        forgotten += _hanging(stage)
        stage.system.simulator.advance_clock(DAY_AND_AN_HOUR)
        stage.finish()
        stage.spoil_calls()
    own.figures["calls_that_hung_while_25_hours_passed"] = forgotten
    asked = BATCH * stage.size(*BATCHES)
    own.demand(forgotten > asked / 2, f"only {forgotten} of {asked} calls hung while the clock moved")
    return own


def _hanging(stage: Stage) -> int:
    """Wait until a batch hangs, or the first of them can't for much longer; return how many do."""
    deadline = stage.now() + HANGING_SECONDS
    first: float | None = None
    limit = float(stage.settings["TOLLGATE_STRIPE_READ_TIMEOUT"]) * 0.8
    while True:
        fired = sum(int(rule["fired"]) for rule in stage.system.simulator.faults())
        first = first or (stage.now() if fired else None)
        if fired >= BATCH or stage.now() >= deadline or (first is not None and stage.now() >= first + limit):
            return fired
        if not stage.pause(POLL_SECONDS):
            return fired


SCENARIO = Scenario(
    name="expired_key",
    title="a retry after the key expired at Stripe (+25 h)",
    promise="0 double",
    play=play,
    settings=BREAKER,
)
