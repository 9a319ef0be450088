"""The jobs that look whether all is as it must be."""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import CHECK_INVARIANTS_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CheckInvariants(JsonContract):
    """Check the payments that have changed.

    Args:
        since: those that changed since then (RFC 3339, UTC); None for since the last check that was done.
        after: those whose ids come after this one; where an earlier job of the same check has stopped.
        full: all payments, whenever they changed.
    """

    KIND: ClassVar[Kind] = Kind(
        "invariants.check", queues.MAINTENANCE, max_age=CHECK_INVARIANTS_AGE, shown=False, asks=False
    )

    since: str | None = None
    after: str = ""
    full: bool = False
