"""The payment status that the website sees, from a table of Stripe's PaymentIntent statuses.

Source: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from dataclasses import dataclass

_STATUSES = {
    "requires_payment_method": "requires_confirmation",
    "requires_confirmation": "requires_confirmation",
    "requires_action": "requires_action",
    "processing": "processing",
    "requires_capture": "requires_capture",
    "canceled": "canceled",
    "succeeded": "paid",
}
# The card's bank wants to ask the customer, who was not there: they come back and confirm with the client secret.
# https://docs.stripe.com/payments/save-and-reuse#charge-saved-payment-method
COMES_BACK = "authentication_required"
TERMINAL_AT_STRIPE = frozenset({"succeeded", "canceled"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a payment's status follows from; amounts in minor units."""

    stripe_status: str
    decline_code: str | None
    amount_received: int
    amount_refunded: int
    disputed: bool


def status_from(facts: Facts) -> str:
    """Return our status. A status of Stripe's that the table lacks is `in_review`: an operator must look."""
    status = _STATUSES.get(facts.stripe_status, "in_review")
    if status == "requires_confirmation" and facts.decline_code == COMES_BACK:
        return "requires_action"
    if status == "requires_confirmation" and facts.decline_code is not None:
        return "declined"
    if status != "paid":
        return status
    if facts.disputed:
        return "disputed"
    if facts.amount_refunded >= facts.amount_received > 0:
        return "refunded"
    return "partially_refunded" if facts.amount_refunded > 0 else "paid"
