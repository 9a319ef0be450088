"""Invoice operations: finalizing, sending, settling and closing an invoice that is there, each at most once.

Operations on one invoice are done in the order in which they were accepted, after it was made. The intent is committed
before Stripe is asked; whether an operation was done whose answer was lost, the invoice itself tells, or for one that
was mailed, Stripe's event.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.invoice import Invoice
from tasks.contracts.invoice_operations import FinalizeInvoice, InvoiceOperation, SendInvoice
from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.steps import Step
from workers.gateways.invoice_snapshots import InvoiceSnapshot
from workers.gateways.operations import operation_name
from workers.jobs.attempt import Attempt
from workers.jobs.ending import in_doubt, nothing_found
from workers.jobs.order import wait_for_earlier
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import is_fresh, waiting_unless_asked
from workers.projections.unbegun import in_no_batch
from workers.runtime import Runtime
from workers.services.heard import Heard, looked_up, source_of
from workers.services.invoice_changes import CHANGES, Change, verdict_of
from workers.services.refusals import Refusal, refused
from workers.services.stripe_invoices import Told, apply_invoice, ask_for_invoice_refresh, locked_invoice, mark_dirty
from workers.services.stripe_objects import Verdict

KINDS: Final = (CreateInvoice.KIND.name, *(contract.KIND.name for contract in CHANGES))
_IS_BEING_MADE = text("SELECT count(*) FROM jobs WHERE subject_id = :invoice AND client_id = :client AND kind = :kind")
_IS_ASTRAY = text(
    "SELECT EXISTS (SELECT FROM flags WHERE kind = 'invoice_astray' AND subject_id = :id AND cleared_at IS NULL)"
)
_AGO = text("SELECT clock_timestamp() - make_interval(secs => :seconds)")


@dataclass(frozen=True, slots=True)
class _Heard(Heard[InvoiceSnapshot]):
    """An invoice; `sent` if that call mailed it."""

    sent: bool = False


def operate(attempt: Attempt, asked: InvoiceOperation) -> Outcome:
    """Do an operation, or find that an earlier attempt has done it."""
    change = CHANGES[type(asked)]
    target = _prepare(attempt, asked, change)
    if isinstance(target, Outcome):
        return target
    if not attempt.job.may_have_asked:
        return _ask(attempt, asked, change, target, generation=attempt.job.intent_generation)
    heard = _look(attempt, target)
    verdict = _verdict(asked, heard)
    if isinstance(verdict, Refusal):
        return _refused(attempt, asked, verdict, heard)
    if verdict == "done" or _was_mailed(attempt, asked, change):
        return _done(attempt, asked, heard)
    if attempt.job.stopped_for is not None:
        end = nothing_found(attempt.runtime, attempt.job)
        doubt = "whether Stripe has mailed the invoice could not be found out"
        return end if change.looks_back or attempt.job.said_not_done else in_doubt(attempt.job, doubt)
    return _ask_again(attempt, asked, change, target)


def settle_operation(
    _session: Session, _runtime: Runtime, _job: JobRow, _asked: InvoiceOperation, _outcome: Outcome
) -> None:
    """Leave the invoice as it is: only what Stripe says of it changes it."""


def _prepare(attempt: Attempt, asked: InvoiceOperation, change: Change) -> str | Outcome:
    """Find the invoice at Stripe and commit what will be asked of it, or say why nothing will be."""
    job = attempt.job
    with attempt.transaction(Step.INTENT) as session:
        own = (Invoice.id == asked.invoice_id, Invoice.client_id == job.client_id)
        invoice = session.scalars(select(Invoice).where(*own).with_for_update()).one_or_none()
        if invoice is None:
            return _not_here(attempt, session, asked)
        if job.is_decided and invoice.stripe_id is not None:
            return invoice.stripe_id
        earlier = wait_for_earlier(attempt, session, invoice.id, KINDS, "invoice")
        if earlier is not None:
            return earlier
        # What was done before a restore looks as if it could not be done: there Stripe is looked at first.
        unclear = job.may_have_asked and invoice.stripe_id is not None
        refusal = _astray(session, asked) or (None if unclear else _refusal_here(asked, invoice))
        if refusal is not None:
            return refused(refusal)
        assert invoice.stripe_id is not None  # noqa: S101 - else it was refused
        attempt.intend(session, operation_name(job.id, change.verb, job.intent_generation), job.intent_generation)
        return invoice.stripe_id


def _astray(session: Session, asked: InvoiceOperation) -> Refusal | None:
    """Return why an invoice that is not as was asked for goes to nobody: staff have not looked at it yet."""
    if not isinstance(asked, SendInvoice | FinalizeInvoice) or not session.scalar(_IS_ASTRAY, {"id": asked.invoice_id}):
        return None
    return Refusal(
        "invoice_astray", "Stripe's invoice is not as was asked for: it goes no further before staff looked."
    )


def _refusal_here(asked: InvoiceOperation, invoice: Invoice) -> Refusal | None:
    """Return why an operation can't be done, as far as that is certain without asking Stripe."""
    if invoice.stripe_id is None or invoice.stripe_status is None:
        return Refusal("invoice_not_made", "The invoice was not made: there is nothing to change.")
    if invoice.stripe_status == "draft" and invoice.reached != "lined":
        return Refusal("invoice_not_ready", "The draft is not whole: its making came to an early end.")
    # To take a draft for paid, Stripe would finalize it by itself. What is owed by our word Stripe may know better.
    if invoice.stripe_status in {"draft", "paid", "void"}:
        verdict = verdict_of(asked, invoice.stripe_status, paid_elsewhere=invoice.paid_out_of_band)
        return verdict if isinstance(verdict, Refusal) else None
    return None


def _not_here(attempt: Attempt, session: Session, asked: InvoiceOperation) -> Outcome:
    """Wait for an invoice that may still come, with its entry or its batch; one that was shown surely will."""
    job = attempt.job
    names = {"invoice": asked.invoice_id, "client": job.client_id, "kind": CreateInvoice.KIND.name}
    coming = session.execute(_IS_BEING_MADE, names).scalar_one() > 0 or not in_no_batch(session, [asked.invoice_id])
    if coming or asked.shown or is_fresh(session, job):
        return waiting_unless_asked(attempt, "InvoiceNotHere", f"{asked.invoice_id} is not here yet")
    return refused(Refusal("invoice_unknown", "There is no such invoice."))


def _ask(attempt: Attempt, asked: InvoiceOperation, change: Change, stripe_id: str, *, generation: int) -> Outcome:
    operation = operation_name(attempt.job.id, change.verb, generation)
    attempt.before_call()
    try:
        answer = change.ask(attempt.runtime.stripe.invoices, stripe_id, operation)
    except StripeInvalidError as error:
        heard = _look(attempt, stripe_id)
        verdict = _verdict(asked, heard)
        if verdict == "done":
            return _done(attempt, asked, heard)
        stripes = Refusal("stripe_refused", f"Stripe refused the request: {error.code or 'no code given'}")
        return _refused(attempt, asked, verdict if isinstance(verdict, Refusal) else stripes, heard, error)
    return _done(attempt, asked, _Heard(answer, "response", sent=not change.looks_back))


def _look(attempt: Attempt, stripe_id: str) -> _Heard:
    return _Heard(looked_up(attempt, lambda: attempt.runtime.stripe.invoices.retrieve(stripe_id)), "fetch")


def _verdict(asked: InvoiceOperation, heard: _Heard) -> str | Refusal:
    found = heard.answer.value
    return verdict_of(asked, found.status, paid_elsewhere=found.paid_elsewhere > 0)


def _was_mailed(attempt: Attempt, asked: InvoiceOperation, change: Change) -> bool:
    """Tell whether an event has told that Stripe has mailed the invoice since it may first have been asked to."""
    if change.looks_back:
        return False
    with attempt.transaction(Step.HOLD) as session:
        sent_at = session.get_one(Invoice, asked.invoice_id).sent_at
        first: dt.datetime = session.execute(_AGO, {"seconds": attempt.job.intent_age or 0.0}).scalar_one()
    return sent_at is not None and sent_at >= first.replace(microsecond=0)  # Stripe's clock tells whole seconds


def _ask_again(attempt: Attempt, asked: InvoiceOperation, change: Change, stripe_id: str) -> Outcome:
    """Ask under the same key while Stripe surely remembers it.

    Raises:
        StripeOutcomeUnknownError: if the key may be forgotten, or its stored answer is still a failure.
    """
    job, settings = attempt.job, attempt.runtime.settings.jobs
    if (job.intent_age or 0.0) >= settings.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    try:
        return _ask(attempt, asked, change, stripe_id, generation=job.intent_generation)
    except StripeOutcomeUnknownError as error:
        if not change.looks_back or not error.replayed or (job.failure_age or 0.0) < settings.generation_wait:
            raise
    # Stripe's stored answer is a failure, and for minutes the invoice has stood as before. Whatever the first request
    # may yet do, Stripe finalizes, settles and closes an invoice once.
    generation = job.intent_generation + 1
    with attempt.transaction(Step.NEXT_GENERATION) as session:
        attempt.intend(session, operation_name(job.id, change.verb, generation), generation)
    return _ask(attempt, asked, change, stripe_id, generation=generation)


def _done(attempt: Attempt, asked: InvoiceOperation, heard: _Heard) -> Outcome:
    runtime, job = attempt.runtime, attempt.job
    return done(lambda session: _apply(session, runtime, job, asked, heard), request_id=heard.answer.request_id)


def _refused(
    attempt: Attempt,
    asked: InvoiceOperation,
    refusal: Refusal,
    heard: _Heard,
    error: StripeInvalidError | None = None,
) -> Outcome:
    runtime, job = attempt.runtime, attempt.job
    return refused(
        refusal,
        lambda session: _apply(session, runtime, job, asked, heard),
        request_id=heard.answer.request_id,
        error=error,
    )


def _apply(session: Session, runtime: Runtime, job: JobRow, asked: InvoiceOperation, heard: _Heard) -> None:
    answer = heard.answer
    invoice = locked_invoice(session, asked.invoice_id)
    source = source_of(answer, heard.source)
    verdict = apply_invoice(session, runtime, invoice, answer.value, source, told=Told(sent=heard.sent))
    if verdict is Verdict.AMBIGUOUS or (answer.replayed and verdict is Verdict.NOTHING_NEW):
        mark_dirty(invoice)
        ask_for_invoice_refresh(session, runtime, invoice, slot=f"{job.id}/{job.fence}", request_id=job.request_id)
