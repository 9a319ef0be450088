"""The jobs of disputes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from config import queues
from config.retries import ANSWER_DISPUTE_AGE, WATCH_DISPUTES_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class WatchDisputes(JsonContract):
    """See which disputes are to be answered soon, and flag their payments."""

    KIND: ClassVar[Kind] = Kind(
        "disputes.watch", queues.MAINTENANCE, max_age=WATCH_DISPUTES_AGE, shown=False, asks=False, posted=False
    )


@dataclass(frozen=True, slots=True)
class DisputeOperation(JsonContract):
    """What an operator decides about a dispute; its kind says what."""

    KIND: ClassVar[Kind]

    dispute_id: str


@dataclass(frozen=True, slots=True)
class SubmitDispute(DisputeOperation):
    """Send evidence to the bank, once for all.

    Args:
        evidence: by Stripe's field, as the operator has seen it: what is asked of Stripe again must be the same.
        submissions: how often evidence had been submitted before: an escalated inquiry is answered anew.
    """

    KIND: ClassVar[Kind] = Kind(
        "disputes.submit", queues.MAINTENANCE, max_age=ANSWER_DISPUTE_AGE, shown=False, posted=False
    )

    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)
    submissions: int = 0


@dataclass(frozen=True, slots=True)
class AcceptDispute(DisputeOperation):
    """Give a dispute in: a chargeback is lost, an inquiry is closed."""

    KIND: ClassVar[Kind] = Kind(
        "disputes.accept", queues.MAINTENANCE, max_age=ANSWER_DISPUTE_AGE, shown=False, posted=False
    )
