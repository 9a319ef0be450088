"""The entry points of batches of invoices."""

from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import invoice_batches


@job(CreateInvoiceBatch, settle=invoice_batches.settle_open)
def open_batch(attempt: Attempt, request: CreateInvoiceBatch) -> Outcome:
    """Leave a job of its own behind for each invoice of a batch."""
    return invoice_batches.open_batch(attempt, request)
