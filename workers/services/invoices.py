"""Invoices: making one at Stripe, step by step, each step at most once.

The row tells how far it has come. Each step has an operation and a key of its own; its intent is committed together
with what the steps before it have brought, and before Stripe is asked. An attempt that follows another looks at the
invoice first and goes on from what Stripe shows, so it does not matter between which two steps a worker dies.
"""

import dataclasses
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.invoice import ON_THE_WAY, Invoice
from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.steps import Step
from workers.gateways.operations import operation_name
from workers.jobs.attempt import Attempt
from workers.jobs.ending import in_doubt, nothing_found
from workers.jobs.failure import describe
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services import customers
from workers.services.flags import raise_flag
from workers.services.heard import source_of
from workers.services.invoice_rows import BEGUN, admit, locked_anyhow, remember
from workers.services.invoice_steps import (
    ASTRAY,
    CREATE,
    SEND,
    Made,
    Plan,
    Verb,
    ask,
    fetch,
    look,
    next_step,
    pending_verb,
)
from workers.services.moves import Source, move
from workers.services.payment_intents import OBJECT_MISSING
from workers.services.stripe_invoices import Told, apply_invoice, ask_for_invoice_refresh, locked_invoice
from workers.services.stripe_objects import Verdict

# What an unfinished job means for an invoice that Stripe has not finalized.
_UNFINISHED = {"waiting": BEGUN, "checking": "checking"}
_UNMADE = frozenset({*ON_THE_WAY, "refused"})  # statuses of an invoice that Stripe is not known to have


@dataclass(slots=True)
class _Making:
    """What an attempt knows as it goes: the newest of Stripe, the key's generation, and the steps that it has asked."""

    plan: Plan
    generation: int
    known: Made | None = None
    sent: bool = False
    asked: set[str] = field(default_factory=set)

    def next(self) -> str | None:
        return next_step(self.plan, None if self.known is None else self.known.answer.value, sent=self.sent)

    def take(self, made: Made) -> None:
        self.known = made
        self.sent = self.sent or made.sent


def create(attempt: Attempt, request: CreateInvoice) -> Outcome:
    """Make the invoice, or go on with it where an earlier attempt has left it."""
    plan = _prepare(attempt, request)
    if isinstance(plan, Outcome):
        return plan
    making = _Making(plan, attempt.job.intent_generation)
    if attempt.job.may_have_asked or plan.stripe_id is not None:
        making.known = look(attempt, plan)
    if attempt.job.stopped_for is not None:
        return _stop(attempt, making)
    while (verb := making.next()) is not None:
        if verb == ASTRAY or verb in making.asked:
            return _astray(attempt, making, verb)
        making.asked.add(verb)
        try:
            making.take(_perform(attempt, making, verb))  # type: ignore[arg-type]  # a verb, since it is not astray
        except StripeInvalidError as error:
            refused = _after_refusal(attempt, making, verb, error)
            if refused is not None:
                return refused
    return _done(attempt, making)


def _prepare(attempt: Attempt, request: CreateInvoice) -> Plan | Outcome:
    """Make the rows, and commit what will be asked first; or say why nothing will be."""
    job = attempt.job
    with attempt.transaction(Step.INTENT) as session:
        admitted = admit(session, attempt.runtime, job, request)
        if isinstance(admitted, Outcome):
            return admitted
        customer = remember(session, attempt.runtime, job, request, status=BEGUN)
        invoice = locked_invoice(session, request.invoice_id)
        if job.stopped_for is None and job.fence > 1:
            _reopen(session, attempt.runtime, job, invoice)
        if job.intent is None and job.stopped_for is None and invoice.stripe_id is None:
            operation = operation_name(request.invoice_id, CREATE, job.intent_generation)
            attempt.intend(session, operation, job.intent_generation)
        return Plan(request, customer, invoice.stripe_id, admitted, sent=invoice.sent_at is not None)


def _reopen(session: Session, runtime: Runtime, job: JobRow, invoice: Invoice) -> None:
    """Let an invoice whose dead job is replayed be on its way again."""
    stays = invoice.status == "draft" and invoice.stays_draft
    if invoice.status in {"refused", "draft"} and not stays:
        move(session, runtime, invoice, BEGUN, Source("job", job.accepted_at, job.id))


def _perform(attempt: Attempt, making: _Making, verb: Verb) -> Made:
    """Ask for a step; again, always under the same key, if an earlier attempt may have asked for it.

    Raises:
        StripeOutcomeUnknownError: also if the key may be forgotten, or its stored answer is still a failure.
        StripeError: as the gateway does.
    """
    job, settings = attempt.job, attempt.runtime.settings.jobs
    # A restored database does not know how far the lost attempts came: any step may have been asked for.
    pending = job.taken_in_late or pending_verb(job.intent) in {None, verb}
    again = job.may_have_asked and len(making.asked) == 1 and pending
    if again and (job.intent_age or 0.0) >= settings.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    name = _stripe_name(attempt, making)
    _intend(attempt, making, verb)
    try:
        return ask(attempt, making.plan, verb, name, making.generation)
    except StripeOutcomeUnknownError as error:
        # What was mailed can't be looked up: a failure that Stripe keeps waits for its event, or for an operator.
        patient = error.replayed and (job.failure_age or 0.0) >= settings.generation_wait
        if not again or verb == SEND or not patient:
            raise
    # Stripe's stored answer is a failure, and for minutes the invoice has stood as before. A second draft would only be
    # untidy, lines that were added twice keep a draft from being finalized, and the rest Stripe does once.
    making.generation += 1
    _intend(attempt, making, verb)
    return ask(attempt, making.plan, verb, name, making.generation)


def _stripe_name(attempt: Attempt, making: _Making) -> str:
    if making.known is not None:
        return making.known.answer.value.id
    return customers.at_stripe(attempt, making.plan.customer)


def _intend(attempt: Attempt, making: _Making, verb: str) -> None:
    """Commit what the steps so far have brought, and what is asked next."""
    if making.known is None and making.generation == attempt.job.intent_generation:
        return  # it was, together with the rows
    request = making.plan.request
    with attempt.transaction(Step.INVOICE_STEP) as session:
        if making.known is not None:
            _record(session, attempt.runtime, attempt.job, request, making.known)
            attempt.had_effect = True
        attempt.intend(session, operation_name(request.invoice_id, verb, making.generation), making.generation)


def _after_refusal(attempt: Attempt, making: _Making, verb: str, error: StripeInvalidError) -> Outcome | None:
    """See what Stripe's refusal of a step means: None if the making goes on, for instance since the step was done."""
    if making.known is None:
        if error.code != OBJECT_MISSING or making.plan.customer.stripe_id is None:
            raise error
        # The customer was deleted in Stripe's dashboard: they are made anew, and another key names what is asked now.
        stripe_id = customers.replace(attempt, making.plan.customer)
        customer = dataclasses.replace(making.plan.customer, stripe_id=stripe_id)
        making.plan = dataclasses.replace(making.plan, customer=customer)
        making.generation += 1
        making.asked.discard(CREATE)
        return None
    making.take(fetch(attempt, making.known.answer.value.id))
    if making.next() != verb:
        return None
    return _astray(attempt, making, verb, error)


def _stop(attempt: Attempt, making: _Making) -> Outcome:
    """End a job that expired or was cancelled, after a last look.

    Raises:
        StripeOutcomeUnknownError: if what was sent last may still show up.
    """
    runtime, job, known = attempt.runtime, attempt.job, making.known
    if known is not None and making.next() is None:
        return _done(attempt, making)
    end = nothing_found(runtime, job)
    may_be_mailed = pending_verb(job.intent) == SEND or (job.taken_in_late and making.next() == SEND)
    if may_be_mailed and not job.said_not_done:
        end = in_doubt(job, "whether Stripe has mailed the invoice could not be found out")
    if known is None:
        return end
    request, problem = making.plan.request, end.problem
    if end.state == "cancelled":
        detail = f"An operator cancelled it half-way: at Stripe the invoice is {known.answer.value.status}."
        problem = {"code": "cancelled", "detail": detail}

    def record(session: Session) -> None:
        _record(session, runtime, job, request, known)

    return dataclasses.replace(end, problem=problem, write=record)


def _astray(attempt: Attempt, making: _Making, verb: str, error: StripeInvalidError | None = None) -> Outcome:
    """Leave an invoice as it is, and have staff look at it: it is not as was asked for, or Stripe refuses a step."""
    runtime, job, request, known = attempt.runtime, attempt.job, making.plan.request, making.known
    assert known is not None  # noqa: S101 - only what is at Stripe goes astray
    shown = known.answer.value
    details = {
        "step": verb,
        "code": None if error is None else error.code,
        "total": request.total.gross,
        "shown": shown.total,
        "at_stripe": shown.status,
    }

    def record(session: Session) -> None:
        _record(session, runtime, job, request, known)
        raise_flag(session, runtime, "invoice_astray", request.invoice_id, details)

    detail = "Stripe's invoice is not as was asked for: it goes no further before staff have looked at it."
    if error is not None:
        detail = f"Stripe refused to go on with the invoice ({verb}): {error.code or 'no code given'}."
    return Outcome(
        "refused",
        record,
        problem={"code": "invoice_astray" if error is None else "stripe_refused", "detail": detail},
        error=None if error is None else describe(error),
        request_id=known.answer.request_id,
        touched=_touched(request),
    )


def _done(attempt: Attempt, making: _Making) -> Outcome:
    runtime, job, request, known = attempt.runtime, attempt.job, making.plan.request, making.known
    assert known is not None  # noqa: S101 - all is done

    def record(session: Session) -> None:
        _record(session, runtime, job, request, known)
        invoice = locked_invoice(session, request.invoice_id)
        if invoice.stripe_status != "draft":
            invoice.reached = "delivered"

    return done(record, request_id=known.answer.request_id, touched=_touched(request))


def _touched(request: CreateInvoice) -> tuple[str, ...]:
    return () if request.payment_id is None else (request.payment_id,)


def _record(session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, made: Made) -> None:
    answer = made.answer
    invoice = locked_invoice(session, request.invoice_id)
    source = source_of(answer, made.source)
    verdict = apply_invoice(session, runtime, invoice, answer.value, source, told=Told(sent=made.sent))
    if verdict is Verdict.AMBIGUOUS:
        ask_for_invoice_refresh(session, runtime, invoice, slot=f"{job.id}/{job.fence}", request_id=job.request_id)


def settle_create(session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, outcome: Outcome) -> None:
    """Tell on the invoice what its job's unfinished or unhappy end means.

    `refused` needs proof that nothing was made: Stripe refused, or was never asked. A draft whose job is over is one.
    """
    proof = outcome.state in {"refused", "cancelled"} or outcome.verdict == "safe_to_replay"
    unfinished = _UNFINISHED.get(outcome.state)
    if outcome.state == "waiting" and session.get(Invoice, request.invoice_id) is None:
        return  # it waits to be admitted
    invoice = locked_anyhow(session, runtime, job, request, unfinished or ("refused" if proof else "checking"))
    if invoice.stripe_id is None and invoice.status in _UNMADE:
        status = unfinished or ("refused" if proof else "checking")
    elif invoice.stripe_status == "draft" and invoice.status in {*ON_THE_WAY, "draft"}:
        status = unfinished or "draft"
    else:
        return
    if invoice.status != status:
        move(session, runtime, invoice, status, Source("job", job.accepted_at, outcome.request_id or job.id))
