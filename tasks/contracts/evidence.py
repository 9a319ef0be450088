"""The job of evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import KEEP_EVIDENCE_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class KeepEvidence(JsonContract):
    """Keep what shows that a payment was rightful, for the day on which a bank disputes it.

    Args:
        payment_id: as it was asked for; it need not be one of this client's.
        texts: by Stripe's field, of those in `config.evidence`.
        shown: whether the client could read the payment when it asked, which a restored database may yet have to learn.
    """

    KIND: ClassVar[Kind] = Kind("payments.keep_evidence", queues.MAINTENANCE, max_age=KEEP_EVIDENCE_AGE, asks=False)

    payment_id: str
    texts: Mapping[str, str]
    shown: bool = False
