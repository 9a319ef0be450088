"""Records the events of some stories of invoices, as `record_events` does those of payments.

    .venv/bin/python -m tests.contract.record_invoice_events

writes `recorded_invoice_events/<API version>/<story>.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import stripe

from tests.builders.entries import CLIENT, invoice_request
from tests.builders.simulator import Simulator
from tests.contract.record_events import events_of, write_all
from workers.gateways.operations import OPERATION_METADATA

FOLDER = Path(__file__).with_name("recorded_invoice_events")
EXPAND = {"expand": ["payments"]}
Story = Callable[["Recording"], None]


class Recording:
    """One story: asks the simulator under the names that Tollgate would use."""

    def __init__(self, simulator: Simulator, name: str) -> None:
        self.client = simulator.client.v1
        self.request = invoice_request(name, CLIENT)
        customer = self.client.customers.create({"email": self.request.customer_email, "name": "Ada"})
        draft = self.client.invoices.create(
            {
                "customer": customer.id,
                "currency": "gbp",
                "collection_method": "send_invoice",
                "days_until_due": 30,
                "metadata": {
                    "tollgate_invoice": self.request.invoice_id,
                    OPERATION_METADATA: f"{self.request.invoice_id}/create/1",
                },
            }
        )
        self.id = draft.id
        total = self.request.total
        rate = {"country": "GB", "display_name": "VAT", "inclusive": False, "percentage": 20.0, "tax_type": "vat"}
        tax = {"amount": total.tax, "taxable_amount": total.net, "tax_rate_data": rate}
        self.client.invoices.add_lines(
            draft.id,
            {"lines": [{"amount": total.net, "description": "First aid at work", "tax_amounts": [tax]}]},  # type: ignore[typeddict-item]  # a plain dict
        )
        self.client.invoices.finalize_invoice(draft.id)

    def send(self) -> None:
        """Have it mailed."""
        self.client.invoices.send_invoice(self.id)

    def pay(self, card: str = "pm_card_visa") -> None:
        """Pay it on its page; a declined card is a part of the story."""
        try:
            self.client.invoices.pay(self.id, {"payment_method": card})
        except stripe.CardError:
            return


def sent(story: Recording) -> None:
    story.send()


def paid_by_card(story: Recording) -> None:
    story.send()
    story.pay("pm_card_chargeDeclined")
    story.pay()


def paid_past_stripe(story: Recording) -> None:
    story.send()
    story.client.invoices.pay(story.id, {"paid_out_of_band": True})


def taken_back(story: Recording) -> None:
    story.client.invoices.void_invoice(story.id)


def given_up_then_paid(story: Recording) -> None:
    story.client.invoices.mark_uncollectible(story.id)
    story.pay()


STORIES: tuple[Story, ...] = (sent, paid_by_card, paid_past_stripe, taken_back, given_up_then_paid)


def record(simulator: Simulator, tell: Story) -> dict[str, Any]:
    """Let a story happen and return all that Stripe tells of it."""
    known = {event.id for event in events_of(simulator)}
    recording = Recording(simulator, tell.__name__)
    tell(recording)
    events = [event.to_dict() for event in events_of(simulator) if event.id not in known]
    truth = recording.client.invoices.retrieve(recording.id, EXPAND).to_dict()  # type: ignore[arg-type]  # a plain dict
    intents = [
        recording.client.payment_intents.retrieve(
            each["payment"]["payment_intent"], {"expand": ["latest_charge"]}
        ).to_dict()
        for each in truth["payments"]["data"]
        if each["status"] == "paid"
    ]
    return {"events": events[::-1], "invoice": truth, "payment_intents": intents}


if __name__ == "__main__":
    write_all(FOLDER, STORIES, record)
