"""The jobs that change a payment which is there: capture, cancel, update."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import SETTLE_HOLD_AGE, UPDATE_PAYMENT_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CapturePayment(JsonContract):
    """Take what the card's bank holds, or a part of it; the rest is released.

    Args:
        payment_id: as it was asked for; it need not be one of this client's.
        amount: minor units; None for all that is held.
        shown: whether the client could read the payment when it asked, which a restored database may yet have to learn.
    """

    KIND: ClassVar[Kind] = Kind("payments.capture", queues.PAYMENTS, max_age=SETTLE_HOLD_AGE)

    payment_id: str
    amount: int | None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class CancelPayment(JsonContract):
    """Give a payment up, and release what is held for it.

    Args:
        payment_id: as it was asked for; it need not be one of this client's.
        reason: one of Stripe's: `abandoned`, `duplicate`, `fraudulent` or `requested_by_customer`.
        shown: whether the client could read the payment when it asked.
    """

    KIND: ClassVar[Kind] = Kind("payments.cancel", queues.PAYMENTS, max_age=SETTLE_HOLD_AGE)

    payment_id: str
    reason: str | None
    shown: bool = False


@dataclass(frozen=True, slots=True)
class UpdatePayment(JsonContract):
    """Change a payment before it is confirmed; what is None stays, metadata is merged by name.

    Args:
        payment_id: as it was asked for; it need not be one of this client's.
        amount: minor units.
        shown: whether the client could read the payment when it asked.
    """

    KIND: ClassVar[Kind] = Kind("payments.update", queues.PAYMENTS, max_age=UPDATE_PAYMENT_AGE)

    payment_id: str
    amount: int | None
    description: str | None
    metadata: Mapping[str, str]
    shown: bool = False
