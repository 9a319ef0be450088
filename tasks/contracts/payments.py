"""The jobs of payments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import CREATE_PAYMENT_AGE, REFRESH_PAYMENT_AGE, REVIEW_PAYMENT_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CreatePayment(JsonContract):
    """Make a PaymentIntent at Stripe for one booking.

    Args:
        payment_id: ours, derived from client, route and idempotency key.
        amount: in the currency's minor units (pence for GBP).
        currency: ISO 4217, lower case as Stripe writes it.
        capture_method: `automatic`, or `manual`: the card's bank holds the amount until a capture.
        save_card: keep the card at Stripe for later charges while the customer is away.
        off_session: charge the customer's saved card now; they are not there.
        receipt: Stripe sends a receipt to the customer's address.
        hold…: the seats that are kept until then (RFC 3339, UTC), and whether money that comes later confirms the
            booking or is refunded.
        on_duplicate: `refuse` or `flag` a second live payment for the booking.
    """

    KIND: ClassVar[Kind] = Kind("payments.create", queues.PAYMENTS, max_age=CREATE_PAYMENT_AGE, version=2)

    payment_id: str
    amount: int
    currency: str
    booking_reference: str
    customer_name: str
    customer_email: str
    description: str | None
    metadata: Mapping[str, str]
    shopper_ip: str
    shopper_user_agent: str
    capture_method: str = "automatic"
    save_card: bool = False
    off_session: bool = False
    receipt: bool = False
    hold_token: str | None = None
    hold_expires_at: str | None = None
    hold_late: str | None = None
    on_duplicate: str = "flag"


@dataclass(frozen=True, slots=True)
class ReviewPayment(JsonContract):
    """See whether a payment's money came late, and whether its booking has others.

    Args:
        asked: whether its request asks that live payments be flagged as well of which none is paid.
    """

    KIND: ClassVar[Kind] = Kind(
        "payments.review", queues.MAINTENANCE, max_age=REVIEW_PAYMENT_AGE, shown=False, asks=False
    )

    payment_id: str
    asked: bool = False


@dataclass(frozen=True, slots=True)
class RefreshPayment(JsonContract):
    """Fetch a payment's PaymentIntent once, because what was heard of it is ambiguous.

    Args:
        payment_id: which.
        even_if_clear: whether it is fetched though nothing that was heard of it is ambiguous.
    """

    KIND: ClassVar[Kind] = Kind(
        "payments.refresh", queues.MAINTENANCE, max_age=REFRESH_PAYMENT_AGE, shown=False, asks=False, posted=False
    )

    payment_id: str
    even_if_clear: bool = False
