"""The life of one order, as a generator: each step asks one thing of somebody and yields the seconds until the next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stripe import StripeError

from sandbox import shopper
from sandbox.chaos import dashboard
from sandbox.chaos.database import ENDED
from sandbox.chaos.orders import ACCEPTED, PART_TAKEN, UNKNOWN, WANTED_BACK, Fate, Order, Posted
from sandbox.chaos.website import Website
from sandbox.demo.fates import DECLINED_CARD, GOOD_CARD
from sandbox.shopper import ShopperError, ShopperResult
from sandbox.simulator_control import SimulatorControl

REPEAT_SECONDS: Final = 1.0  # what the API's Retry-After asks for
FIRST_POLL_SECONDS: Final = 0.4
SLOWER: Final = 1.5  # each look at a payment waits so much longer than the one before
LONGEST_POLL_SECONDS: Final = 3.0


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked of a payment that is there: the end of its path, and the body."""

    verb: str
    body: Mapping[str, Any]


# With which cards the shopper tries, one after another.
CARDS: Final[Mapping[Fate, Sequence[str]]] = {
    "pays": (GOOD_CARD,),
    "pays with another card": (DECLINED_CARD, GOOD_CARD),
    "is declined": (DECLINED_CARD,),
    "leaves": (),
    "is refunded": (GOOD_CARD,),
    "is refunded in part": (GOOD_CARD,),
    "is cancelled": (),
    "wants all back": (GOOD_CARD,),
    "wants a part back": (GOOD_CARD,),
    "is captured": (GOOD_CARD,),
    "is captured in part": (GOOD_CARD,),
    "is held and given up": (GOOD_CARD,),
    "is given up": (),
}
# What the website asks of the API afterwards.
OPERATIONS: Final[Mapping[Fate, Operation]] = {
    "is captured": Operation("capture", {}),
    "is captured in part": Operation("capture", {"amount": PART_TAKEN}),
    "is held and given up": Operation("cancel", {"reason": "requested_by_customer"}),
    "is given up": Operation("cancel", {}),
}
PAID_AT_STRIPE: Final = frozenset({"succeeded", "requires_capture"})
# What the office does in Stripe's dashboard afterwards.
OFFICE: Final[Mapping[Fate, Callable[[str, Order], None]]] = {
    "is refunded": dashboard.refund,
    "is refunded in part": dashboard.refund_a_part,
    "is cancelled": dashboard.cancel,
}

Life = Iterator[float]


def _never(_result: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class World:
    """What lives depend on.

    Args:
        website: asks the API.
        simulator: where the shopper pays.
        patience: seconds for which a client repeats its post.
        clock: monotonic seconds.
    """

    website: Website
    simulator: SimulatorControl
    patience: float
    clock: Callable[[], float]


def live(world: World, order: Order) -> Life:
    """Post until accepted, wait for the client secret, do as the fate has it, and wait for the promised end."""
    yield from post(world, order, lambda: world.website.post(order))
    if not order.accepted:
        return
    yield from _wait_for(world, order, lambda: order.secret is not None)
    for card in CARDS[order.fate]:
        yield from _confirm(world, order, card)
    act = OFFICE.get(order.fate)
    if act is not None:
        yield from _in_dashboard(world, order, act)
    if order.fate in WANTED_BACK:
        yield from _give_back(world, order, WANTED_BACK[order.fate])
    operation = OPERATIONS.get(order.fate)
    if operation is not None:
        yield from _operate(world, order, operation)
    yield from _wait_for(world, order, lambda: order.status == order.end)
    order.ended_at = world.clock()


def post(world: World, order: Posted, ask: Callable[[], str]) -> Life:
    """Post until it is accepted or refused, or its client gives up."""
    deadline = world.clock() + world.patience
    yield from until_accepted(
        order,
        "post",
        ask,
        lambda result: (order.impatient and result in UNKNOWN) or world.clock() >= deadline,
    )


def until_accepted(order: Posted, what: str, ask: Callable[[], str], gives_up: Callable[[str], bool] = _never) -> Life:
    """Ask again and again until it is accepted; a refusal is the order's problem."""
    while (result := ask()) != ACCEPTED:
        if result.startswith("refused"):
            order.problem = f"the {what} was {result}"
            return
        if gives_up(result):
            return
        yield REPEAT_SECONDS


def pauses() -> Iterator[float]:
    """Return how long to wait before each look, longer and longer."""
    pause = FIRST_POLL_SECONDS
    while True:
        yield pause
        pause = min(pause * SLOWER, LONGEST_POLL_SECONDS)


def _wait_for(world: World, order: Order, there: Callable[[], bool]) -> Life:
    for pause in pauses():
        yield pause
        view = world.website.payment(order.payment_id)
        if view is not None:
            order.status, order.secret = view["status"], view["client_secret"] or order.secret
            if there():
                return


def _confirm(world: World, order: Order, card: str) -> Life:
    """Confirm with a card; after an answer that was lost, look before confirming again."""
    simulator, secret = world.simulator, order.secret
    if secret is None:
        raise ShopperError(f"{order.reference} has no client secret")
    yield 0.0
    while True:
        try:
            if _settled(shopper.pay(simulator.base_url, simulator.publishable_key, secret, card), card):
                return
        except (OSError, ValueError, ShopperError):  # ValueError: an answer that was cut short is no JSON
            pass  # it may have been done: the look tells
        yield REPEAT_SECONDS
        try:
            if _settled(shopper.look(simulator.base_url, simulator.publishable_key, secret), card):
                return
        except (OSError, ValueError):
            yield REPEAT_SECONDS


def _operate(world: World, order: Order, operation: Operation) -> Life:
    """Ask for an operation until it is accepted, under a key of its own, and see its job through."""
    yield 0.0
    yield from until_accepted(
        order, operation.verb, lambda: world.website.operate(order, operation.verb, operation.body)
    )
    if order.operation_id is not None:
        yield from see_through(world, order, operation.verb, order.operation_id)


def see_through(world: World, order: Posted, what: str, job_id: str) -> Life:
    """Look at a job until it has ended; any end but `done` is the order's problem."""
    for pause in pauses():
        yield pause
        job = world.website.job(job_id)
        if job is not None and job["status"] in ENDED:
            if job["status"] != "done":
                order.problem = f"the {what} ended {job['status']}: {job['problem']}"
            return


def _in_dashboard(world: World, order: Order, act: Callable[[str, Order], None]) -> Life:
    """Have the office act; an act is repeated until it was answered, under a key of its own."""
    yield 0.0
    while True:
        try:
            act(world.simulator.base_url, order)
        except StripeError:
            yield REPEAT_SECONDS
        else:
            return


def _give_back(world: World, order: Order, amount: int | None) -> Life:
    """Once the payment is known as paid, ask to give it back; the post is repeated until it was accepted."""
    yield from _wait_for(world, order, lambda: order.status == "paid")
    yield from until_accepted(order, "refund", lambda: world.website.refund(order, amount))


def _settled(result: ShopperResult, card: str) -> bool:
    return result.status in PAID_AT_STRIPE if card == GOOD_CARD else result.decline_code is not None
