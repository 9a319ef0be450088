"""The jobs of the ledger."""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import POST_FEE_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class PostFee(JsonContract):
    """Ask Stripe once what it keeps of a charge or refund, and post that.

    Args:
        payment_id: ours, of whom the charge or refund is.
        noun: `charge` or `refund`.
        stripe_id: of which.
    """

    KIND: ClassVar[Kind] = Kind(
        "ledger.fee", queues.MAINTENANCE, max_age=POST_FEE_AGE, shown=False, asks=False, posted=False
    )

    payment_id: str
    noun: str
    stripe_id: str
