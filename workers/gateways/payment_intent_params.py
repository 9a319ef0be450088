"""What is asked of PaymentIntents, as stripe-python's parameters (https://docs.stripe.com/api/payment_intents).

What a payment does not ask for is not sent either: a request that is repeated after an upgrade must be the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from stripe.params import (
    PaymentIntentCancelParams,
    PaymentIntentCaptureParams,
    PaymentIntentCreateParams,
    PaymentIntentUpdateParams,
)

CancellationReason = Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"]
EXPAND: Final = ["latest_charge"]


@dataclass(frozen=True, slots=True)
class Taking:
    """How the money of a payment is taken.

    Args:
        manual: the card's bank holds the amount until it is captured.
        save_card: the card is kept for later charges while the customer is away.
        saved_card: charged at once, while the customer is away; none: the customer confirms by themselves.
        receipt_email: where Stripe sends a receipt to.
    """

    manual: bool = False
    save_card: bool = False
    saved_card: str | None = None
    receipt_email: str | None = field(default=None, repr=False)


def create_params(
    *,
    amount: int,
    currency: str,
    customer_id: str,
    description: str | None,
    metadata: Mapping[str, str],
    taking: Taking,
) -> PaymentIntentCreateParams:
    """Return what makes a PaymentIntent."""
    params: PaymentIntentCreateParams = {
        "amount": amount,
        "currency": currency,
        "customer": customer_id,
        "automatic_payment_methods": {"enabled": True},
        "metadata": {**metadata},
    }
    if description is not None:
        params["description"] = description
    if taking.manual:
        params["capture_method"] = "manual"
    if taking.save_card:
        params["setup_future_usage"] = "off_session"
    if taking.receipt_email is not None:
        params["receipt_email"] = taking.receipt_email
    if taking.saved_card is not None:
        params["payment_method"] = taking.saved_card
        params["confirm"] = True
        params["off_session"] = True
        # Nobody is there who could be sent to another page, and Stripe wants an address to come back to otherwise.
        params["automatic_payment_methods"] = {"enabled": True, "allow_redirects": "never"}
    return params


def capture_params(amount: int | None) -> PaymentIntentCaptureParams:
    """Return what captures a held amount, or a part of it; the rest is released."""
    params: PaymentIntentCaptureParams = {"expand": [*EXPAND]}
    if amount is not None:
        params["amount_to_capture"] = amount
    return params


def cancel_params(reason: CancellationReason | None) -> PaymentIntentCancelParams:
    """Return what gives a PaymentIntent up."""
    params: PaymentIntentCancelParams = {"expand": [*EXPAND]}
    if reason is not None:
        params["cancellation_reason"] = reason
    return params


def update_params(
    *, amount: int | None, description: str | None, metadata: Mapping[str, str]
) -> PaymentIntentUpdateParams:
    """Return what changes a PaymentIntent that nobody has confirmed; what is None stays as it is."""
    params: PaymentIntentUpdateParams = {"expand": [*EXPAND]}
    if amount is not None:
        params["amount"] = amount
    if description is not None:
        params["description"] = description
    if metadata:
        params["metadata"] = {**metadata}
    return params
