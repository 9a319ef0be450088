"""The entry points of invoices."""

from tasks.contracts.invoice_operations import (
    FinalizeInvoice,
    MarkInvoiceUncollectible,
    PayInvoiceOutOfBand,
    SendInvoice,
    VoidInvoice,
)
from tasks.contracts.invoices import CreateInvoice, RefreshInvoice, RemindInvoices
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import invoice_operations, invoice_refreshes, invoice_reminders, invoices


@job(CreateInvoice, settle=invoices.settle_create)
def create(attempt: Attempt, request: CreateInvoice) -> Outcome:
    """Make an invoice."""
    return invoices.create(attempt, request)


@job(RefreshInvoice, settle=invoice_refreshes.settle_refresh)
def refresh(attempt: Attempt, request: RefreshInvoice) -> Outcome:
    """Fetch an invoice that is in doubt."""
    return invoice_refreshes.refresh(attempt, request)


@job(RemindInvoices, settle=invoice_reminders.settle_remind)
def remind(attempt: Attempt, request: RemindInvoices) -> Outcome:
    """See which invoices are overdue."""
    return invoice_reminders.remind(attempt, request)


@job(FinalizeInvoice, settle=invoice_operations.settle_operation)
def finalize(attempt: Attempt, request: FinalizeInvoice) -> Outcome:
    """Make a draft binding."""
    return invoice_operations.operate(attempt, request)


@job(SendInvoice, settle=invoice_operations.settle_operation)
def send(attempt: Attempt, request: SendInvoice) -> Outcome:
    """Have an invoice mailed."""
    return invoice_operations.operate(attempt, request)


@job(VoidInvoice, settle=invoice_operations.settle_operation)
def void(attempt: Attempt, request: VoidInvoice) -> Outcome:
    """Take an invoice back."""
    return invoice_operations.operate(attempt, request)


@job(MarkInvoiceUncollectible, settle=invoice_operations.settle_operation)
def mark_uncollectible(attempt: Attempt, request: MarkInvoiceUncollectible) -> Outcome:
    """Give an invoice up."""
    return invoice_operations.operate(attempt, request)


@job(PayInvoiceOutOfBand, settle=invoice_operations.settle_operation)
def pay_out_of_band(attempt: Attempt, request: PayInvoiceOutOfBand) -> Outcome:
    """Take an invoice for paid."""
    return invoice_operations.operate(attempt, request)
