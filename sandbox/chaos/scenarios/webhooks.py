"""Webhooks thrice and in no order, among responses that come later than they do."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox.chaos.link_faults import LinkFault
from sandbox.chaos.links import STRIPE
from sandbox.chaos.orders import Fate, Order, make_orders
from sandbox.chaos.scenarios.scenario import Own, Scenario
from sandbox.chaos.stage import Stage

FATES: Final[Mapping[Fate, int]] = {
    "pays": 4,
    "pays with another card": 3,
    "is declined": 2,
    "is refunded": 2,
    "is refunded in part": 2,
    "is cancelled": 1,
    "is captured": 1,
    "is captured in part": 1,
    "is held and given up": 1,
}
IN_ORDER: Final = 5  # orders of each fate that show the state to be reached
EVENTS: Final = (400, 10_000)
EVENTS_EACH: Final = 5  # at least, on average
RATE: Final = 10.0  # payments a second
LATE_SECONDS: Final = 0.6  # above the 0.3 s by which shuffled webhooks are apart, and below every timeout
COPIES: Final = 2  # beside the first: each comes three times
# What tells how a payment stands, without ids and times.
TELLING: Final = ("status", "currency", "decline")


def play(stage: Stage) -> Own:
    """Play every fate in order first, then thousands shuffled, and compare how each payment stands in the end."""
    own = Own()
    fates = list(FATES)
    control = [
        order
        for fate in fates
        for order in make_orders(IN_ORDER, f"C{stage.seed}-{fates.index(fate)}", stage.chance, {fate: 1})
    ]
    stage.play(control, RATE)
    expected = {order.fate: _standing(stage, order) for order in control}
    own.demand(
        all(_standing(stage, order) == expected[order.fate] for order in control), "the orders in order differ already"
    )
    before = stage.system.simulator.health()["events"]
    stage.deliver(duplicates=COPIES, shuffle=stage.seed)
    stage.links.by_name[STRIPE].spoil(LinkFault("latency", seconds=LATE_SECONDS))
    orders = make_orders(stage.size(*EVENTS) // EVENTS_EACH, f"W{stage.seed}", stage.chance, FATES)
    stage.play(orders, RATE)
    events = stage.system.simulator.health()["events"] - before
    different = [each for order in orders if (each := _differs(stage, order, expected))]
    own.figures |= {
        "webhooks": events,
        "copies_each": COPIES + 1,
        "payments": len(orders),
        "different_from_in_order": len(different),
    }
    own.demand(events >= stage.size(*EVENTS), f"only {events} webhooks")
    own.broken += different
    return own


def _differs(stage: Stage, order: Order, expected: Mapping[Fate, Sequence[Any]]) -> str | None:
    standing = _standing(stage, order)
    if standing == expected[order.fate]:
        return None
    return f"{order.reference}, which {order.fate}, stands as {standing} instead of {expected[order.fate]}"


def _standing(stage: Stage, order: Order) -> Sequence[Any]:
    view = stage.website.payment(order.payment_id)
    if view is None:
        return ["no view"]
    return [
        *(view[name] for name in TELLING),
        "received" if view["amount_received"] == view["amount"] else view["amount_received"],
        "all refunded" if view["amount_refunded"] == view["amount"] else view["amount_refunded"],
        view["stripe_payment_intent"] is not None,
    ]


SCENARIO = Scenario(
    name="webhooks",
    title="10,000 webhooks, each three times, shuffled, among late responses",
    promise="the same final state as in order",
    play=play,
)
