"""The other side of the end-to-end tests: shopper and Stripe, played by the simulator or by Stripe's test mode."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

import stripe
from stripe import StripeClient

from sandbox import shopper
from sandbox.system import System

CARDS = {"good": "4242424242424242", "no_funds": "4000000000009995", "secure": "4000002760003184"}
PAYMENT_METHODS = {
    "good": "pm_card_visa",
    "no_funds": "pm_card_visa_chargeDeclinedInsufficientFunds",
    "secure": "pm_card_authenticationRequired",
}
RETURN_URL = "https://example.org/back"


class StripeSide(Protocol):
    """What the tests need of Stripe."""

    def pay(self, payment: dict[str, Any], card: str) -> str:
        """Confirm a payment with a named card; return the PaymentIntent's status."""

    def cancel(self, payment: dict[str, Any]) -> None:
        """Cancel the PaymentIntent, as the office does in the dashboard."""

    def deliver(self) -> None:
        """See to it that events reach Tollgate."""


@dataclass(frozen=True)
class SimulatorSide:
    """The simulator: shoppers use the publishable key, webhooks come by themselves."""

    system: System
    client: StripeClient

    def pay(self, payment: dict[str, Any], card: str) -> str:
        simulator = self.system.simulator
        return shopper.pay(simulator.base_url, simulator.publishable_key, payment["client_secret"], CARDS[card]).status

    def cancel(self, payment: dict[str, Any]) -> None:
        self.client.v1.payment_intents.cancel(payment["stripe_payment_intent"])

    def deliver(self) -> None:
        """Nothing to do: the simulator delivers."""


@dataclass
class PolledSide:
    """Stripe's test mode: no webhook reaches a machine behind a firewall, so events are read and signed here."""

    system: System
    client: StripeClient
    since: int = field(default_factory=lambda: int(time.time()) - 1)
    seen: set[str] = field(default_factory=set)

    def pay(self, payment: dict[str, Any], card: str) -> str:
        try:
            intent = self.client.v1.payment_intents.confirm(
                payment["stripe_payment_intent"],
                {"payment_method": PAYMENT_METHODS[card], "return_url": RETURN_URL},
            )
        except stripe.CardError:
            intent = self.client.v1.payment_intents.retrieve(payment["stripe_payment_intent"])
        return intent.status

    def cancel(self, payment: dict[str, Any]) -> None:
        self.client.v1.payment_intents.cancel(payment["stripe_payment_intent"])

    def deliver(self) -> None:
        events = self.client.v1.events.list({"created": {"gte": self.since}, "limit": 100})
        for event in reversed(list(events.auto_paging_iter())):
            if event.id not in self.seen:
                self.seen.add(event.id)
                self._post(json.dumps(event.to_dict(), default=str).encode())

    def _post(self, body: bytes) -> None:
        timestamp = int(time.time())
        signed = f"{timestamp}.".encode() + body
        signature = hmac.new(self.system.webhook_secret.encode(), signed, hashlib.sha256).hexdigest()
        answer = self.system.api.ask(
            "POST", "/v1/webhooks/stripe", {"Stripe-Signature": f"t={timestamp},v1={signature}"}, body
        )
        assert answer.status == 200, answer
