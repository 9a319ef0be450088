"""Payment operations: capturing, cancelling and updating a payment that is there, each at most once.

Operations on one payment are done in the order in which they were accepted. The intent is committed before Stripe is
asked; whether an operation was done whose answer was lost, the PaymentIntent itself tells.
"""

from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.payment import Payment
from models.payment_status import TERMINAL_AT_STRIPE
from tasks.contracts.job import Contract
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from workers.gateways.snapshots import PaymentIntentSnapshot
from workers.gateways.stripe import operation_name
from workers.jobs.attempt import Attempt
from workers.jobs.ending import nothing_found
from workers.jobs.order import is_overtaken, wait_for_earlier
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import is_fresh, waiting_unless_asked
from workers.runtime import Runtime
from workers.services.heard import Heard, looked_up, source_of
from workers.services.payment_changes import (
    Cancel,
    Capture,
    Change,
    Target,
    Update,
    standing_here,
    standing_there,
)
from workers.services.refreshes import ask_for_refresh
from workers.services.refusals import Refusal, refused
from workers.services.stripe_objects import Verdict, apply_payment_intent, locked, mark_dirty

KINDS = tuple(contract.KIND.name for contract in (CapturePayment, CancelPayment, UpdatePayment))
_IS_BEING_MADE = text(
    "SELECT EXISTS (SELECT FROM jobs WHERE subject_id = :payment AND client_id = :client AND kind = :kind)"
)


@dataclass(frozen=True, slots=True)
class _Heard(Heard[PaymentIntentSnapshot]):
    """A PaymentIntent."""


def capture(attempt: Attempt, request: CapturePayment) -> Outcome:
    """Capture what is held for a payment, or a part of it."""
    return _perform(attempt, Capture(request))


def cancel(attempt: Attempt, request: CancelPayment) -> Outcome:
    """Give a payment up."""
    return _perform(attempt, Cancel(request))


def update(attempt: Attempt, request: UpdatePayment) -> Outcome:
    """Change a payment before it is confirmed."""
    return _perform(attempt, Update(request))


def settle_operation(_session: Session, _runtime: Runtime, _job: JobRow, _request: Contract, _outcome: Outcome) -> None:
    """Leave the payment as it is: only what Stripe says of it changes it."""


def _perform(attempt: Attempt, change: Change) -> Outcome:
    target = _prepare(attempt, change)
    if isinstance(target, Outcome):
        return target
    if not attempt.job.may_have_asked:
        return _ask(attempt, change, target, generation=attempt.job.intent_generation)
    heard = _look(attempt, target)
    verdict = change.verdict(standing_there(heard.answer.value))
    if verdict == "open" and attempt.job.stopped_for is None:
        with attempt.transaction(Step.HOLD) as session:
            verdict = _overtaken(session, attempt.job, change) or verdict
    if verdict == "done":
        return _done(attempt, change, heard)
    if isinstance(verdict, Refusal):
        return _refused(attempt, change, verdict, heard)
    if attempt.job.stopped_for is not None:
        return nothing_found(attempt.runtime, attempt.job)
    return _ask_again(attempt, change, target)


def _prepare(attempt: Attempt, change: Change) -> Target | Outcome:
    """Find the PaymentIntent and commit what will be asked of it, or say why nothing will be."""
    job = attempt.job
    with attempt.transaction(Step.INTENT) as session:
        own = (Payment.id == change.asked.payment_id, Payment.client_id == job.client_id)
        payment = session.scalars(select(Payment).where(*own).with_for_update()).one_or_none()
        if payment is None:
            return not_here(attempt, session, change.asked.payment_id, shown=change.asked.shown)
        if job.is_decided and payment.stripe_id is not None:
            return Target(payment.stripe_id, payment.booking_reference)
        # What was done before a restore looks as if it could not be done: there Stripe is looked at first.
        unclear = job.may_have_asked and payment.stripe_id is not None
        refusal = None if unclear else _refusal_here(change, payment) or _overtaken(session, job, change)
        if refusal is not None:
            return _unchanged(refusal)
        if payment.stripe_id is None:
            return waiting_unless_asked(attempt, "PaymentNotMade", "the payment is still being made")
        earlier = wait_for_earlier(attempt, session, payment.id, KINDS, "payment")
        if earlier is not None:
            return earlier
        attempt.intend(session, operation_name(job.id, change.verb, job.intent_generation), job.intent_generation)
        return Target(payment.stripe_id, payment.booking_reference)


def _overtaken(session: Session, job: JobRow, change: Change) -> Refusal | None:
    """Return why what a later update has replaced is not put back; captures and cancellations happen once anyway."""
    if not isinstance(change, Update) or not is_overtaken(session, job):
        return None
    return Refusal("update_overtaken", "A later update of the payment was done already: this one would undo it.")


def _refusal_here(change: Change, payment: Payment) -> Refusal | str | None:
    """Return what can be told without asking Stripe: that it can't be done, or that it is `done`; else None."""
    flaw = change.flaw(payment)
    if flaw is not None:
        return flaw
    over = payment.stripe_status in TERMINAL_AT_STRIPE
    gone = payment.stripe_id is None and payment.status in {"failed", "canceled"}
    if not over and not gone:
        return None  # Stripe may know better
    verdict = change.verdict(standing_here(payment))
    return None if verdict == "open" else verdict


def _unchanged(verdict: Refusal | str) -> Outcome:
    return refused(verdict) if isinstance(verdict, Refusal) else done(lambda _session: None)


def not_here(attempt: Attempt, session: Session, payment_id: str, *, shown: bool) -> Outcome:
    """Wait for a payment of this client that may yet be taken in, or refuse: it is unknown, or another's.

    Its entry may still stand in the journal. That one is not here which its client was shown never proves anything: a
    database that was restored has yet to learn of it.

    Args:
        attempt: at what is to be done with it.
        session: reads.
        payment_id: as it was asked for.
        shown: whether the client could read the payment when it asked.

    Raises:
        StripeOutcomeUnknownError: if an earlier attempt may have asked Stripe.
    """
    job = attempt.job
    if shown or is_being_made(session, payment_id, job.client_id) or is_fresh(session, job):
        return waiting_unless_asked(attempt, "PaymentNotHere", f"{payment_id} is not here yet")
    return refused(Refusal("payment_unknown", "There is no such payment."))


def is_being_made(session: Session, payment_id: str, client_id: str) -> bool:
    """Tell whether a job of the client's makes, or has made, a payment, whatever its row says by now."""
    names = {"payment": payment_id, "client": client_id, "kind": CreatePayment.KIND.name}
    return bool(session.scalar(_IS_BEING_MADE, names))


def _ask(attempt: Attempt, change: Change, target: Target, *, generation: int) -> Outcome:
    operation = operation_name(attempt.job.id, change.verb, generation)
    attempt.before_call()
    try:
        answer = change.send(attempt.runtime.stripe, target, operation)
    except StripeInvalidError as error:
        return _refused_by_stripe(attempt, change, target, error)
    return _done(attempt, change, _Heard(answer, "response"))


def _refused_by_stripe(attempt: Attempt, change: Change, target: Target, error: StripeInvalidError) -> Outcome:
    """Say why Stripe has refused: mostly, the PaymentIntent stands otherwise than we knew."""
    heard = _look(attempt, target)
    verdict = change.verdict(standing_there(heard.answer.value))
    if verdict == "done":
        return _done(attempt, change, heard)
    if not isinstance(verdict, Refusal):
        verdict = Refusal("stripe_refused", f"Stripe refused the request: {error.code or 'no code given'}")
    return _refused(attempt, change, verdict, heard, error)


def _look(attempt: Attempt, target: Target) -> _Heard:
    return _Heard(looked_up(attempt, lambda: attempt.runtime.stripe.retrieve_payment_intent(target.stripe_id)), "fetch")


def _ask_again(attempt: Attempt, change: Change, target: Target) -> Outcome:
    """Ask under the same key while Stripe surely remembers it.

    Raises:
        StripeOutcomeUnknownError: if the key may be forgotten, or its stored answer is still a failure.
    """
    job, settings = attempt.job, attempt.runtime.settings.jobs
    if (job.intent_age or 0.0) >= settings.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    try:
        return _ask(attempt, change, target, generation=job.intent_generation)
    except StripeOutcomeUnknownError as error:
        if not error.replayed or (job.failure_age or 0.0) < settings.generation_wait:
            raise
    # Stripe's stored answer is a failure, and for minutes the PaymentIntent has stood as before. Whatever the first
    # request may yet do, Stripe captures and cancels a PaymentIntent once, and an update done twice is one update.
    generation = job.intent_generation + 1
    with attempt.transaction(Step.NEXT_GENERATION) as session:
        attempt.intend(session, operation_name(job.id, change.verb, generation), generation)
    return _ask(attempt, change, target, generation=generation)


def _done(attempt: Attempt, change: Change, heard: _Heard) -> Outcome:
    runtime, job = attempt.runtime, attempt.job

    def record(session: Session) -> None:
        payment = _apply(session, runtime, job, change, heard)
        change.remember(runtime.settings.encryption_keys, payment)

    return done(record, request_id=heard.answer.request_id)


def _refused(
    attempt: Attempt,
    change: Change,
    refusal: Refusal,
    heard: _Heard,
    error: StripeInvalidError | None = None,
) -> Outcome:
    runtime, job = attempt.runtime, attempt.job

    def record(session: Session) -> None:
        _apply(session, runtime, job, change, heard)

    return refused(refusal, record, request_id=heard.answer.request_id, error=error)


def _apply(session: Session, runtime: Runtime, job: JobRow, change: Change, heard: _Heard) -> Payment:
    answer = heard.answer
    payment = locked(session, change.asked.payment_id)
    source = source_of(answer, heard.source)
    verdict = apply_payment_intent(session, runtime, payment, answer.value, source)
    if verdict is Verdict.AMBIGUOUS or (answer.replayed and verdict is Verdict.NOTHING_NEW):
        mark_dirty(payment)
        ask_for_refresh(session, runtime, payment, slot=job.id, request_id=job.request_id)
    return payment
