"""Records the events of some stories, as this version of Stripe's API tells them, for `test_recorded_events`.

    .venv/bin/python -m tests.contract.record_events

writes `recorded_events/<API version>/<story>.json`, each with the events in their order, the objects as they are in
the end, and nothing that a person or a secret could be told by. What is there of older versions stays: a deployment
may still get events of the version that its webhook endpoint was made with.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import stripe

from sandbox.simulator.account import API_VERSION
from tests.builders.entries import CLIENT, payment_request
from tests.builders.simulator import Simulator, running

FOLDER = Path(__file__).with_name("recorded_events")
AMOUNT = 4950
PART = 1000
REFUND_FAILS = "pm_card_refundFail"
Objects = dict[str, Any]


class Recording:
    """One story: asks the simulator under the names that Tollgate would use."""

    def __init__(self, simulator: Simulator, name: str) -> None:
        self.simulator = simulator
        self.client = simulator.client
        self.payment_id = payment_request(name, CLIENT).payment_id

    def intent(self, **params: Any) -> stripe.PaymentIntent:
        """Make the payment's PaymentIntent."""
        metadata = {"tollgate_payment": self.payment_id, "tollgate_operation": f"{self.payment_id}/create/1"}
        return self.client.v1.payment_intents.create(
            {"amount": AMOUNT, "currency": "gbp", "metadata": metadata, **params}  # type: ignore[typeddict-item]  # stories give what is right
        )

    def pay(self, intent: stripe.PaymentIntent, card: str = "pm_card_visa") -> None:
        """Confirm it; a declined card is a part of the story."""
        try:
            self.client.v1.payment_intents.confirm(intent.id, {"payment_method": card})
        except stripe.CardError:
            return

    def refund(self, intent: stripe.PaymentIntent, amount: int) -> None:
        """Give a part back, as the office does in Stripe's dashboard."""
        self.client.v1.refunds.create({"payment_intent": intent.id, "amount": amount})


def paid(story: Recording) -> stripe.PaymentIntent:
    intent = story.intent()
    story.pay(intent)
    return intent


def declined_then_paid(story: Recording) -> stripe.PaymentIntent:
    intent = story.intent()
    story.pay(intent, "pm_card_chargeDeclined")
    story.pay(intent)
    return intent


def captured_in_part(story: Recording) -> stripe.PaymentIntent:
    intent = story.intent(capture_method="manual")
    story.pay(intent)
    story.client.v1.payment_intents.capture(intent.id, {"amount_to_capture": AMOUNT - PART})
    return intent


def canceled(story: Recording) -> stripe.PaymentIntent:
    intent = story.intent(capture_method="manual")
    story.pay(intent)
    story.client.v1.payment_intents.cancel(intent.id)
    return intent


def refunded_in_two_parts(story: Recording) -> stripe.PaymentIntent:
    intent = paid(story)
    story.refund(intent, PART)
    story.refund(intent, AMOUNT - PART)
    return intent


def refund_that_failed(story: Recording) -> stripe.PaymentIntent:
    intent = story.intent()
    story.pay(intent, REFUND_FAILS)
    story.refund(intent, PART)
    story.simulator.control("POST", "refunds/finish")
    return intent


STORIES: tuple[Callable[[Recording], stripe.PaymentIntent], ...] = (
    paid,
    declined_then_paid,
    captured_in_part,
    canceled,
    refunded_in_two_parts,
    refund_that_failed,
)


def record(simulator: Simulator, tell: Callable[[Recording], stripe.PaymentIntent]) -> Objects:
    """Let a story happen and return all that Stripe tells of it."""
    known = {event.id for event in events_of(simulator)}
    intent = tell(Recording(simulator, tell.__name__))
    events = [event.to_dict() for event in events_of(simulator) if event.id not in known]
    truth = simulator.client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]}).to_dict()
    refunds = simulator.client.v1.refunds.list({"payment_intent": intent.id}).to_dict()["data"]
    return {"events": events[::-1], "payment_intent": truth, "refunds": refunds}


def events_of(simulator: Simulator) -> list[stripe.Event]:
    return list(simulator.client.v1.events.list({"limit": 100}).auto_paging_iter())


def write_all(folder: Path, stories: Sequence[Callable[[Any], Any]], record_one: Callable[..., Any]) -> None:
    """Record every story anew."""
    folder = folder / API_VERSION
    folder.mkdir(parents=True, exist_ok=True)
    with running() as simulator:
        for tell in stories:
            text = json.dumps(record_one(simulator, tell), indent=1, sort_keys=True, default=str)
            (folder / f"{tell.__name__}.json").write_text(text + "\n")


if __name__ == "__main__":
    write_all(FOLDER, STORIES, record)
