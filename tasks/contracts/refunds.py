"""The jobs of refunds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import CREATE_REFUND_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CreateRefund(JsonContract):
    """Give back a payment, or a part of it.

    Args:
        refund_id: ours, derived from client, route and idempotency key.
        payment_id: as it was asked for; it need not be one of this client's.
        amount: in the payment's minor units; None for all that is left when the job first runs.
        reason: one of Stripe's: `duplicate`, `fraudulent` or `requested_by_customer`.
        metadata: kept with the refund at Stripe.
        shown: the payment's status as its client could read it when it asked; None if it could read none. A database
            that does not know as much is behind, and refuses nothing for that.
    """

    KIND: ClassVar[Kind] = Kind("refunds.create", queues.REFUNDS, max_age=CREATE_REFUND_AGE)

    refund_id: str
    payment_id: str
    amount: int | None
    reason: str | None
    metadata: Mapping[str, str]
    shown: str | None = None
