"""Cases: what must have happened for an actor to come to a step, who the actor is, and how it must end.

What a scene arranges goes through the shipped code and real servers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.steps import Step
from tests.chaos.oracle import unsettled
from tests.chaos.stage import Posted, Stage

GOOD_CARD = "4242424242424242"


def _nothing() -> None:
    """Leave things as they are."""


@dataclass
class Case:
    """One payment on its way to a step.

    Args:
        posted: the payment.
        role: who comes to the step, of `tests.chaos.roles`.
        arguments: what that actor is told to do.
        plan: settings of the actor's that differ.
        help: what a person does after the death, where nobody else can; done again, it does no harm.
        wrong: what is not yet as it must be in the end.
    """

    posted: Posted
    role: str
    arguments: dict[str, Any]
    wrong: Callable[[], list[str]]
    plan: dict[str, Any] = field(default_factory=dict)
    help: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Scene:
    """A way to some steps."""

    name: str
    steps: tuple[Step, ...]
    arrange: Callable[[Stage], Case]


def dispatcher_case(
    stage: Stage, posted: Posted, do: list[str], status: str = "requires_confirmation", **more: Any
) -> Case:
    return Case(posted, "dispatcher", {"do": do}, lambda: unsettled(stage, posted, status), **more)


def worker_case(stage: Stage, posted: Posted, queue: str, status: str = "requires_confirmation", **more: Any) -> Case:
    return Case(posted, "worker", {"queue": queue}, lambda: unsettled(stage, posted, status), **more)


def paid_at_stripe(stage: Stage) -> tuple[Posted, list[bytes]]:
    """Return a payment whose shopper has paid, and the events of it that Tollgate has not heard of."""
    posted = stage.posted_and_done()
    secret = stage.house.payment_view(posted.payment_id).client_secret
    assert secret is not None
    assert shopper.pay(stage.stripe.url, PUBLISHABLE_KEY, secret, GOOD_CARD).status == "succeeded"
    return posted, events_of(stage, posted)


def events_of(stage: Stage, posted: Posted) -> list[bytes]:
    """Return the events that Stripe has of a payment."""
    intent = stage.house.payment(posted.payment_id)["stripe_id"]
    events = stage.stripe.events_of(intent, **stage.since)
    return [body for _, body in reversed(events)]
