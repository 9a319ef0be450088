"""The jobs of payments."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from tasks.contracts.job import JsonContract, Kind

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class CreatePayment(JsonContract):
    """Make a PaymentIntent at Stripe for one booking.

    Args:
        payment_id: ours, derived from client, route and idempotency key.
        amount: in the currency's minor units (pence for GBP).
        currency: ISO 4217, lower case as Stripe writes it.
    """

    # A shopper who was promised nothing for six hours is gone; Stripe still knows the key for 24.
    KIND: ClassVar[Kind] = Kind("payments.create", queues.PAYMENTS, max_age=6 * HOUR)

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

    KIND: ClassVar[Kind] = Kind("payments.refresh", queues.MAINTENANCE, max_age=72 * HOUR, shown=False)

    payment_id: str
