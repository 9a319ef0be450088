"""The jobs of payments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import CREATE_PAYMENT_AGE, REFRESH_PAYMENT_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CreatePayment(JsonContract):
    """Make a PaymentIntent at Stripe for one booking.

    Args:
        payment_id: ours, derived from client, route and idempotency key.
        amount: in the currency's minor units (pence for GBP).
        currency: ISO 4217, lower case as Stripe writes it.
    """

    KIND: ClassVar[Kind] = Kind("payments.create", queues.PAYMENTS, max_age=CREATE_PAYMENT_AGE)

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


@dataclass(frozen=True, slots=True)
class RefreshPayment(JsonContract):
    """Fetch a payment's PaymentIntent once, because what was heard of it is ambiguous."""

    KIND: ClassVar[Kind] = Kind(
        "payments.refresh", queues.MAINTENANCE, max_age=REFRESH_PAYMENT_AGE, shown=False, asks=False
    )

    payment_id: str
