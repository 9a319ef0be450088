"""Stripe away for half an hour, compressed as the pace of everything else is."""

from collections.abc import Sequence
from typing import Final

from sandbox.chaos.link_faults import LinkFault
from sandbox.chaos.links import STRIPE
from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

OUTAGE_SECONDS: Final = (15, 90)
FULL_OUTAGE: Final = 30 * 60  # what it stands for
RATE: Final = 8.0  # payments a second
BEFORE_SECONDS: Final = 8.0
AFTER_SECONDS: Final = 10.0
MOST_FAILURES: Final = 20  # until the breaker opens
CLOSES_WITHIN: Final = 60.0  # seconds after recovery
POLL_SECONDS: Final = 0.05
# A pause of so many breaker resets between two tries says that it is open: mixed traffic leaves no such gap.
OPEN_GAP: Final = 0.5


def play(stage: Stage) -> Own:
    """Cut Stripe off in the middle of a load; count how often it is still asked."""
    own = Own()
    seconds = float(stage.size(*OUTAGE_SECONDS))
    span = BEFORE_SECONDS + seconds + AFTER_SECONDS
    stage.begin(make_orders(int(span * RATE), f"O{stage.seed}", stage.chance, MIXED), RATE)
    stage.pause(BEFORE_SECONDS)
    link = stage.links.by_name[STRIPE]
    stage.doing = "Stripe away"
    link.spoil(LinkFault("reset"))
    cut = stage.now()
    stage.pause(seconds)
    refusals = list(link.refusals)
    link.mend()
    mended = stage.now()
    closed = _until_a_secret(stage, mended)
    stage.finish()
    reset = float(stage.settings["TOLLGATE_STRIPE_BREAKER_RESET"])
    failures = until_open(refusals, reset * OPEN_GAP)
    own.figures |= {
        "outage_seconds": seconds,
        "stands_for_seconds": FULL_OUTAGE,
        "failures_until_open": failures,
        "open_after_seconds": round(refusals[failures - 1] - cut, 2) if refusals else None,
        "tries_while_away": len(refusals),
        "closed_after_seconds": None if closed is None else round(closed, 2),
    }
    own.demand(0 < failures <= MOST_FAILURES, f"{failures} failures until the breaker opened")
    own.demand(len(refusals) > failures, "the breaker never probed")
    own.demand(closed is not None and closed <= CLOSES_WITHIN, f"nothing went through {CLOSES_WITHIN} s after recovery")
    return own


def until_open(refusals: Sequence[float], gap: float) -> int:
    """Return how many tries came before the first pause longer than `gap` seconds; all if there was none."""
    for position in range(1, len(refusals)):
        if refusals[position] - refusals[position - 1] > gap:
            return position
    return len(refusals)


def _until_a_secret(stage: Stage, mended: float) -> float | None:
    """Return the seconds until the first order that came during the outage is at Stripe."""
    waiting = [order for order in stage.orders if order.accepted and order.secret is None]
    while stage.now() - mended <= CLOSES_WITHIN:
        if any(order.secret is not None for order in waiting):
            return stage.now() - mended
        if not stage.pause(POLL_SECONDS):
            break
    return None


SCENARIO = Scenario(
    name="outage",
    title="30 minutes of Stripe outage, compressed",
    promise="breaker opens in at most 20 failures; all done after recovery",
    play=play,
)
