"""The job of a batch of invoices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from config import queues
from config.retries import OPEN_BATCH_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class CreateInvoiceBatch(JsonContract):
    """Leave a job of its own behind for each invoice of a batch.

    Args:
        batch_id: ours, derived from client and idempotency key.
        invoices: `{line, invoice}` each: the place in what was posted, and the fields of `CreateInvoice`.
        refused: `{line, problem}` each, of those that the door refused; kept so that the batch tells of all its lines.
    """

    KIND: ClassVar[Kind] = Kind("invoices.batch", queues.INVOICES, max_age=OPEN_BATCH_AGE, asks=False)

    batch_id: str
    invoices: Sequence[Mapping[str, Any]]
    refused: Sequence[Mapping[str, Any]]
