"""Refreshes: fetching once an invoice of which something ambiguous was heard, or by which payment it was paid."""

from sqlalchemy.orm import Session

from models.invoice import Invoice
from tasks.contracts.invoices import RefreshInvoice
from tasks.contracts.steps import Step
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.moves import Source
from workers.services.stripe_invoices import apply_invoice, ask_for_invoice_refresh, locked_invoice
from workers.services.stripe_objects import Verdict


def refresh(attempt: Attempt, request: RefreshInvoice) -> Outcome:
    """Fetch an invoice with its payments and apply it, unless it is clean by now and nothing else is asked for."""
    runtime = attempt.runtime
    with attempt.transaction(Step.HOLD) as session:
        invoice = session.get_one(Invoice, request.invoice_id)
        stripe_id, version, dirty = invoice.stripe_id, invoice.version, invoice.dirty
    if stripe_id is None or not (dirty or request.even_if_clear):
        return done(lambda _session: None)
    attempt.before_call()
    answer = runtime.stripe.invoices.retrieve(stripe_id)

    def record(session: Session) -> None:
        invoice = locked_invoice(session, request.invoice_id)
        # What was heard while the answer was on its way may be newer than the answer.
        undisturbed = invoice.version == version
        source = Source("fetch", answer.as_of, answer.request_id)
        verdict = apply_invoice(session, runtime, invoice, answer.value, source, authoritative=undisturbed)
        invoice.dirty = not undisturbed or verdict is Verdict.AMBIGUOUS
        if invoice.dirty:
            slot = f"{attempt.job.id}/{attempt.job.fence}"
            ask_for_invoice_refresh(session, runtime, invoice, slot=slot, request_id=attempt.job.request_id)

    return done(record, request_id=answer.request_id)


def settle_refresh(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: RefreshInvoice, _outcome: Outcome
) -> None:
    """Leave the invoice as it is: what is known of it stays true until something newer is heard."""
