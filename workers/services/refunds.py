"""Refunds: giving back a payment, or a part of it, exactly once, and never more of it than was taken.

The amount is reserved under the payment's lock, in the transaction that commits the intent. What may have happened at
Stripe keeps its reservation, until it is found or proved not to have happened.
"""

import dataclasses
from dataclasses import dataclass
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.job import Job
from models.payment import Payment
from models.refund import Refund
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.steps import Step
from workers.gateways.snapshots import RefundSnapshot
from workers.gateways.stripe import RefundReason, idempotency_key, operation_name
from workers.jobs.attempt import Attempt
from workers.jobs.ending import in_doubt, nothing_found
from workers.jobs.order import wait_for_earlier
from workers.jobs.outcome import FINAL_STATES, Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting
from workers.runtime import Runtime
from workers.services.announcements import Unreserved, announce
from workers.services.heard import Heard, looked_up, source_of
from workers.services.moves import Source, move, note
from workers.services.payment_operations import is_being_made
from workers.services.refreshes import ask_for_refresh
from workers.services.refusals import Refusal, refused
from workers.services.remainders import (
    ALREADY_REFUNDED,
    BRINGERS,
    DISPUTED,
    NOT_PAID,
    PAID,
    Unclear,
    remainder,
)
from workers.services.stripe_objects import Verdict, apply_charge, locked, mark_dirty
from workers.services.stripe_refunds import apply_refund

VERB = "create"
UNKNOWN = "payment_unknown"
# What an unfinished job means for its refund; of one that is over, proof that nothing happened makes it `refused`.
_UNFINISHED = {"waiting": "processing", "checking": "checking"}
_IN_THE_MAKING = frozenset({"processing", "checking"})  # statuses of a payment that Stripe may yet turn out to have
_UNMADE = frozenset({"processing", "checking", "refused"})  # statuses of a refund that Stripe is not known to have
# Stripe's words for what we refuse as well: https://docs.stripe.com/error-codes
_REFUSALS = {
    "charge_already_refunded": ALREADY_REFUNDED,
    "charge_disputed": DISPUTED,
    "refund_disputed_payment": DISPUTED,
}
# A restored database learns of payments and events from the journal again, in no certain order: before an attempt of
# this number, what it does not know proves nothing.
PATIENT_ATTEMPTS = 8


@dataclass(frozen=True, slots=True)
class _Reserved:
    """What may be asked of Stripe: of which PaymentIntent, and how much in minor units."""

    payment_intent_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class _Made(Heard[RefundSnapshot]):
    """A refund."""


def create(attempt: Attempt, request: CreateRefund) -> Outcome:
    """Make the refund, or find the one that an earlier attempt made.

    An attempt that follows one with an intent looks before it asks again, always under the same key. No attempt begins
    a new generation of the key by itself: what Stripe keeps failing waits for an operator.
    """
    job = attempt.job
    found = _look(attempt, request) if job.may_have_asked else None
    if found is not None:
        return _made(attempt, request, found)
    if job.stopped_for is not None:
        return _not_found(attempt)
    reserved = _reserve(attempt, request)
    if isinstance(reserved, Outcome):
        return reserved
    if job.may_have_asked and (job.intent_age or 0.0) >= attempt.runtime.settings.jobs.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    try:
        return _made(attempt, request, _ask(attempt, request, reserved))
    except StripeInvalidError as error:
        return _refused_by_stripe(attempt, request, error)


def _not_found(attempt: Attempt) -> Outcome:
    """End a job that expired or was cancelled: no refund of it is at Stripe, as far as can be seen.

    Raises:
        StripeOutcomeUnknownError: if what was sent last may still show up.
    """
    end = nothing_found(attempt.runtime, attempt.job)
    if attempt.job.failure_age is None or attempt.job.said_not_done:
        return end
    return in_doubt(attempt.job, "Stripe keeps a failure under the refund's key, and shows no refund")


def _look(attempt: Attempt, request: CreateRefund) -> _Made | None:
    """Find what an earlier attempt made, under any generation of its key.

    Raises:
        StripeOutcomeUnknownError: it can't be looked for: a restored database has yet to learn of the payment.
    """
    with attempt.transaction(Step.HOLD) as session:
        payment = session.get(Payment, request.payment_id)
        stripe_id = None if payment is None or payment.client_id != attempt.job.client_id else payment.stripe_id
        if stripe_id is None and _may_be_paid(session, attempt.job, request, payment):
            raise StripeOutcomeUnknownError("what it gives back is not known here yet: there is nowhere to look")
    if stripe_id is None:
        return None
    operation = operation_name(request.refund_id, VERB, attempt.job.intent_generation)
    stripe = attempt.runtime.stripe
    found = looked_up(
        attempt,
        lambda: stripe.find_refund(payment_intent_id=stripe_id, operation=operation, between=attempt.before_call),
    )
    return None if found is None else _Made(found, "fetch")


def _may_be_paid(session: Session, job: JobRow, request: CreateRefund, payment: Payment | None) -> bool:
    """Tell whether a payment that is not here, or not known to be at Stripe, may have been refunded all the same."""
    if request.shown in PAID or is_being_made(session, request.payment_id, job.client_id):
        return payment is None or payment.client_id != job.client_id or payment.status in _IN_THE_MAKING
    return payment is None and job.attempts < PATIENT_ATTEMPTS


def _reserve(attempt: Attempt, request: CreateRefund) -> _Reserved | Outcome:
    """Take the amount out of what is left of the payment, and commit what will be asked of Stripe."""
    job = attempt.job
    with attempt.transaction(Step.INTENT) as session:
        payment = _own(session, job, request)
        if payment is None or payment.stripe_id is None:
            detail = "There is no such payment." if payment is None else "The payment has not been paid."
            return _refuse(attempt, session, request, Refusal(UNKNOWN if payment is None else NOT_PAID, detail))
        refund = session.get(Refund, request.refund_id, populate_existing=True)
        if refund is not None and refund.stripe_id is not None:
            return done(lambda _session: None, touched=(payment.id,))
        if refund is None or refund.status == "refused":
            asked = request.amount if refund is None else refund.amount
            left = remainder(session, payment, asked)
            if isinstance(left, Refusal):
                return _refuse(attempt, session, request, left)
            if isinstance(left, Unclear):
                return _wait(attempt, payment.id, left)
            refund = _kept(session, attempt, request, payment, refund, left)
        if job.intent is None:
            attempt.intend(session, operation_name(refund.id, VERB, job.intent_generation), job.intent_generation)
        return _Reserved(payment.stripe_id, refund.amount)


def _own(session: Session, job: JobRow, request: CreateRefund) -> Payment | None:
    """Return the payment with its row locked, if it is this client's; another's is as good as none."""
    own = (Payment.id == request.payment_id, Payment.client_id == job.client_id)
    return session.scalars(
        select(Payment).where(*own).with_for_update().execution_options(populate_existing=True)
    ).one_or_none()


def _kept(
    session: Session,
    attempt: Attempt,
    request: CreateRefund,
    payment: Payment,
    refund: Refund | None,
    amount: int,
) -> Refund:
    job = attempt.job
    source = Source("job", job.accepted_at, job.id)
    if refund is not None:
        move(session, attempt.runtime, refund, "processing", source)
        return refund
    # Newer than any view that was made of the job while there was no row.
    version = session.execute(select(Job.version).where(Job.id == job.id)).scalar_one() + 1
    refund = Refund(
        id=request.refund_id,
        client_id=job.client_id,
        payment_id=payment.id,
        job_id=job.id,
        amount=amount,
        currency=payment.currency,
        reason=request.reason,
        status="processing",
        version=version,
    )
    session.add(refund)
    session.flush()
    note(session, "refund", refund.id, old=None, new=refund.status, source=source)
    return refund


def _refuse(attempt: Attempt, session: Session, request: CreateRefund, refusal: Refusal) -> Outcome:
    """Refuse, unless what brings the money was accepted before, or the database is behind.

    It may have been restored: then the journal tells it again what it has lost.

    Raises:
        StripeOutcomeUnknownError: if it is behind, and the refund may have been made before.
    """
    job = attempt.job
    if refusal.code in {UNKNOWN, NOT_PAID}:
        earlier = wait_for_earlier(attempt, session, request.payment_id, BRINGERS, "payment")
        if earlier is not None:
            return earlier
    if job.taken_in_late and job.attempts < PATIENT_ATTEMPTS:
        raise StripeOutcomeUnknownError(f"{refusal.code}, as far as this database knows by now")
    if refusal.code in {UNKNOWN, NOT_PAID} and request.shown in PAID:
        message = f"{refusal.code}, though its client was shown that it is paid"
        return waiting(attempt.runtime, job, "DatabaseBehind", message)
    return refused(refusal)


def _wait(attempt: Attempt, payment_id: str, unclear: Unclear) -> Outcome:
    """Come again soon, when the payment and its refunds have been fetched."""
    runtime, job = attempt.runtime, attempt.job
    unchanged = waiting(runtime, job, "RemainderUnclear", unclear.detail)
    return dataclasses.replace(unchanged, write=lambda session: _doubt(session, runtime, job, payment_id))


def _doubt(session: Session, runtime: Runtime, job: JobRow, payment_id: str) -> None:
    payment = locked(session, payment_id)
    mark_dirty(payment)
    ask_for_refresh(session, runtime, payment, slot=f"{job.id}/{job.fence}", request_id=job.request_id)


def _ask(attempt: Attempt, request: CreateRefund, reserved: _Reserved) -> _Made:
    operation = operation_name(request.refund_id, VERB, attempt.job.intent_generation)
    attempt.before_call()
    answer = attempt.runtime.stripe.create_refund(
        payment_intent_id=reserved.payment_intent_id,
        amount=reserved.amount,
        reason=cast("RefundReason | None", request.reason),
        metadata={**request.metadata, "tollgate_refund": request.refund_id},
        operation=operation,
        idempotency_key=idempotency_key(operation),
    )
    return _Made(answer, "response")


def _refused_by_stripe(attempt: Attempt, request: CreateRefund, error: StripeInvalidError) -> Outcome:
    """Refuse what Stripe has refused; it knows something of the payment that we don't, so that is fetched."""
    runtime, job = attempt.runtime, attempt.job
    stripes = Refusal("stripe_refused", f"Stripe refused the refund: {error.code or 'no code given'}")
    refusal = _REFUSALS.get(error.code or "", stripes)
    return refused(
        refusal,
        lambda session: _doubt(session, runtime, job, request.payment_id),
        request_id=error.request_id,
        error=error,
    )


def _made(attempt: Attempt, request: CreateRefund, made: _Made) -> Outcome:
    runtime, job = attempt.runtime, attempt.job
    return done(
        lambda session: _record(session, runtime, job, request, made),
        request_id=made.answer.request_id,
        touched=(request.payment_id,),
    )


def _record(session: Session, runtime: Runtime, job: JobRow, request: CreateRefund, made: _Made) -> None:
    answer = made.answer
    payment = locked(session, request.payment_id)
    source = source_of(answer, made.source)
    applied = apply_refund(session, runtime, payment, answer.value, source)
    verdicts = [applied.verdict]
    if answer.value.charge is not None:
        verdicts.append(apply_charge(session, runtime, payment, answer.value.charge, source))
    refund = session.get_one(Refund, applied.refund_id)
    if refund.id == request.refund_id and refund.job_id is None:  # its row was lost, and made anew by an event
        refund.job_id = job.id
        refund.version += 1
    if Verdict.AMBIGUOUS in verdicts:
        ask_for_refresh(session, runtime, payment, slot=job.id, request_id=job.request_id)


def settle_create(session: Session, runtime: Runtime, job: JobRow, request: CreateRefund, outcome: Outcome) -> None:
    """Tell on the refund what its job's unfinished or unhappy end means.

    `refused` needs proof that nothing was given back, and releases what was reserved: Stripe refused, or was never
    asked. A refund that was refused before anything was reserved has no row; its job tells.
    """
    proof = outcome.state in {"refused", "cancelled"} or outcome.verdict == "safe_to_replay"
    status = _UNFINISHED.get(outcome.state, "refused" if proof else "checking")
    own = _own(session, job, request) is not None
    refund = session.get(Refund, request.refund_id, populate_existing=True) if own else None
    if refund is None:
        if outcome.state in FINAL_STATES:
            unreserved = Unreserved(request.refund_id, job.client_id)
            announce(session, runtime, f"refund.{status}", unreserved)
    elif refund.stripe_id is None and refund.status in _UNMADE and refund.status != status:
        move(session, runtime, refund, status, Source("job", job.accepted_at, outcome.request_id or job.id))
