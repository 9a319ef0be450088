"""Changes of a payment that is there: what each asks of Stripe, and what the PaymentIntent's state says of it.

Stripe captures and cancels a PaymentIntent once and updates it only while it is open, so its state alone tells whether
a change was made, can be made, or never can be (https://docs.stripe.com/payments/paymentintents/lifecycle).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, cast

from config.currencies import CURRENCIES, amount_flaw, rounding_flaw
from config.keyring import Keyring
from models.encrypted import decrypt, encrypt
from models.payment import Payment
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from workers.gateways.payment_intent_params import CancellationReason
from workers.gateways.snapshots import Answer, PaymentIntentSnapshot
from workers.gateways.stripe import StripeGateway, idempotency_key
from workers.services.refusals import Refusal

UPDATABLE = frozenset({"requires_payment_method", "requires_confirmation", "requires_action"})
ALREADY_PAID = "payment_already_paid"


Verdict = Literal["done", "open"] | Refusal


@dataclass(frozen=True, slots=True)
class Standing:
    """How a PaymentIntent stands at Stripe; amounts in minor units. Description and metadata only if it was fetched."""

    status: str
    amount: int
    received: int
    description: str | None = None
    metadata: Mapping[str, str] | None = None


def standing_here(payment: Payment) -> Standing:
    """Return how a payment's PaymentIntent stands as far as we know; what was never made stands as our status says."""
    return Standing(payment.stripe_status or payment.status, payment.amount, payment.amount_received)


def standing_there(intent: PaymentIntentSnapshot) -> Standing:
    """Return how a PaymentIntent stands by Stripe's own word."""
    return Standing(intent.status, intent.amount, intent.amount_received, intent.description, intent.metadata)


class Change(Protocol):
    """A change of a payment."""

    verb: ClassVar[str]

    @property
    def asked(self) -> CapturePayment | CancelPayment | UpdatePayment:
        """What the client asked for."""

    def flaw(self, payment: Payment) -> Refusal | None:
        """Return what no state at Stripe could mend."""

    def verdict(self, standing: Standing) -> Verdict:
        """Tell whether the change is made, can be made, or can't be."""

    def send(self, stripe: StripeGateway, payment: "Target", operation: str) -> Answer[PaymentIntentSnapshot]:
        """Ask Stripe for it; raises StripeError as the gateway does."""

    def remember(self, ring: Keyring, payment: Payment) -> None:
        """Keep what was changed of what only we keep."""


@dataclass(frozen=True, slots=True)
class Target:
    """The PaymentIntent that is to be changed."""

    stripe_id: str
    booking_reference: str


@dataclass(frozen=True, slots=True)
class Capture:
    """Taking what a bank holds, or a part of it."""

    asked: CapturePayment
    verb: ClassVar[str] = "capture"

    def flaw(self, payment: Payment) -> Refusal | None:
        """Refuse what is not held, and more than can be held."""
        if payment.capture_method != "manual":
            return Refusal("payment_not_capturable", "The payment was not asked for with a capture by hand.")
        if self.asked.amount is not None and self.asked.amount > payment.amount:
            return Refusal("amount_too_large", f"The payment is of {payment.amount}: no more can be captured.")
        flaw = None if self.asked.amount is None else rounding_flaw(self.asked.amount, payment.currency)
        return None if flaw is None else Refusal(flaw.code, flaw.words)

    def verdict(self, standing: Standing) -> Verdict:
        """Tell whether the amount was captured, can be, or can't be."""
        if standing.status == "requires_capture":
            return "open"
        if standing.status != "succeeded":
            return Refusal("payment_not_capturable", "Nothing is held for the payment that could be captured.")
        wanted = standing.amount if self.asked.amount is None else self.asked.amount
        if standing.received == wanted:
            return "done"
        return Refusal(ALREADY_PAID, f"The payment was captured before: {standing.received} of it.")

    def send(self, stripe: StripeGateway, payment: Target, operation: str) -> Answer[PaymentIntentSnapshot]:
        """Capture."""
        return stripe.capture_payment_intent(
            payment.stripe_id,
            amount=self.asked.amount,
            operation=operation,
            idempotency_key=idempotency_key(operation),
        )

    def remember(self, ring: Keyring, payment: Payment) -> None:
        """Keep nothing: Stripe tells all of it."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Giving a payment up."""

    asked: CancelPayment
    verb: ClassVar[str] = "cancel"

    def flaw(self, payment: Payment) -> Refusal | None:  # noqa: ARG002 - the protocol's signature
        """Find none: any payment may be given up that is not paid."""
        return None

    def verdict(self, standing: Standing) -> Verdict:
        """Tell whether the payment was given up, can be, or can't be."""
        match standing.status:
            case "canceled":
                return "done"
            case "succeeded":
                return Refusal(ALREADY_PAID, "The payment is paid: refund it instead.")
            case "failed":
                return Refusal("payment_not_cancelable", "The payment has failed: there is nothing to give up.")
            case _:
                return "open"

    def send(self, stripe: StripeGateway, payment: Target, operation: str) -> Answer[PaymentIntentSnapshot]:
        """Cancel."""
        return stripe.cancel_payment_intent(
            payment.stripe_id,
            reason=cast("CancellationReason | None", self.asked.reason),
            operation=operation,
            idempotency_key=idempotency_key(operation),
        )

    def remember(self, ring: Keyring, payment: Payment) -> None:
        """Keep nothing: Stripe tells all of it."""


@dataclass(frozen=True, slots=True)
class Update:
    """Changing amount, description or metadata before the payment is confirmed."""

    asked: UpdatePayment
    verb: ClassVar[str] = "update"

    def flaw(self, payment: Payment) -> Refusal | None:
        """Refuse an amount that Stripe does not take in the payment's currency."""
        if self.asked.amount is None or payment.currency not in CURRENCIES:
            return None
        flaw = amount_flaw(self.asked.amount, payment.currency)
        return None if flaw is None else Refusal(flaw.code, flaw.words)

    def verdict(self, standing: Standing) -> Verdict:
        """Tell whether all of it is as was asked, can be made so, or can't be."""
        if standing.metadata is not None and self._is_made(standing, standing.metadata):
            return "done"
        if standing.status in UPDATABLE:
            return "open"
        if standing.status == "succeeded":
            return Refusal(ALREADY_PAID, "The payment is paid: it can't be changed any more.")
        return Refusal("payment_not_updatable", "The payment can't be changed any more.")

    def _is_made(self, standing: Standing, metadata: Mapping[str, str]) -> bool:
        return (
            self.asked.amount in {None, standing.amount}
            and self.asked.description in {None, standing.description}
            and all(metadata.get(name, "") == value for name, value in self.asked.metadata.items())
        )

    def send(self, stripe: StripeGateway, payment: Target, operation: str) -> Answer[PaymentIntentSnapshot]:
        """Update; the booking's reference is ours to set, whatever the metadata say."""
        metadata = {**self.asked.metadata}
        if metadata:
            metadata["booking_reference"] = payment.booking_reference
        return stripe.update_payment_intent(
            payment.stripe_id,
            amount=self.asked.amount,
            description=self.asked.description,
            metadata=metadata,
            operation=operation,
            idempotency_key=idempotency_key(operation),
        )

    def remember(self, ring: Keyring, payment: Payment) -> None:
        """Keep description and metadata, sealed; an empty text takes its name away, as at Stripe."""
        if self.asked.description is not None:
            payment.description = encrypt(ring, "payments", "description", payment.id, self.asked.description)
        if self.asked.metadata:
            known = json.loads(decrypt(ring, "payments", "booking_metadata", payment.id, payment.booking_metadata))
            merged = {name: text for name, text in (known | {**self.asked.metadata}).items() if text}
            payment.booking_metadata = encrypt(ring, "payments", "booking_metadata", payment.id, json.dumps(merged))
