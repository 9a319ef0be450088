"""What operators decide about disputes: evidence is sent to the bank, or the dispute given in, each at most once.

The intent is committed before Stripe is asked; whether it was done when an answer was lost, the dispute itself tells:
Stripe takes one submission, and one more if an inquiry becomes a chargeback; a dispute is closed once
(https://docs.stripe.com/api/disputes/update).
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.dispute import CLOSED, NEEDS_RESPONSE, UNDER_WAY, Dispute
from tasks.contracts.disputes import AcceptDispute, DisputeOperation, SubmitDispute
from tasks.contracts.steps import Step
from workers.gateways.balance_snapshots import DisputeSnapshot
from workers.gateways.operations import operation_name
from workers.gateways.snapshots import Answer
from workers.gateways.stripe_disputes import StripeDisputes
from workers.jobs.attempt import Attempt
from workers.jobs.ending import nothing_found
from workers.jobs.order import wait_for_earlier
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting_unless_asked
from workers.projections.instants import rfc3339
from workers.runtime import Runtime
from workers.services.heard import Heard, looked_up, source_of
from workers.services.refreshes import ask_for_refresh
from workers.services.refusals import Refusal, refused
from workers.services.stripe_disputes import apply_dispute
from workers.services.stripe_objects import Verdict, locked

PATIENT_ATTEMPTS: Final = 8  # a restored database may learn of the dispute from the journal again
ANSWERED: Final = Refusal("dispute_answered", "Evidence was submitted before; a bank takes it once.")
OVER: Final = Refusal("dispute_closed", "The dispute is closed.")
PAST_DUE: Final = "dispute_past_due"
UNKNOWN: Final = Refusal("dispute_unknown", "There is no such dispute.")
_NOW = text("SELECT clock_timestamp()")
Asks = Callable[[StripeDisputes, Any, str, str], Answer[DisputeSnapshot]]


@dataclass(frozen=True, slots=True)
class Deed:
    """What an operation does.

    Args:
        verb: names it at Stripe.
        ask: asks Stripe for it: given are the gateway, the contract, Stripe's id, and the operation.
        is_done: whether a dispute shows that it was done, given what was asked for.
        is_anybodys: whether it counts as done as well if somebody else has done it.
        refusal: why it can't be done to a dispute at that time; None if it can.
    """

    verb: str
    ask: Asks
    is_done: Callable[[DisputeSnapshot, Any], bool]
    is_anybodys: bool
    refusal: Callable[[Dispute | DisputeSnapshot, dt.datetime], Refusal | None]


def _is_answered(dispute: DisputeSnapshot, asked: SubmitDispute) -> bool:
    """Tell whether evidence has come to the bank since; what it asks now, no earlier answer has answered."""
    return dispute.submissions > asked.submissions and dispute.status not in NEEDS_RESPONSE


def _no_answer(dispute: Dispute | DisputeSnapshot, at: dt.datetime) -> Refusal | None:
    """Return why a dispute takes no evidence."""
    if dispute.status in CLOSED:
        return OVER
    if dispute.status not in NEEDS_RESPONSE:
        return ANSWERED
    if dispute.due_at is not None and dispute.due_at < at:
        return Refusal(PAST_DUE, f"The bank took an answer until {rfc3339(dispute.due_at)}.")
    return None


def _no_end(dispute: Dispute | DisputeSnapshot, _at: dt.datetime) -> Refusal | None:
    """Return why a dispute can't be given in."""
    return None if dispute.status in UNDER_WAY else OVER


DEEDS: Final[dict[type[DisputeOperation], Deed]] = {
    SubmitDispute: Deed(
        "submit",
        lambda stripe, asked, name, operation: stripe.submit(name, asked.evidence, operation),
        _is_answered,
        is_anybodys=False,  # the operator must know that the bank has not got what they have read
        refusal=_no_answer,
    ),
    AcceptDispute: Deed(
        "accept",
        lambda stripe, _asked, name, operation: stripe.accept(name, operation),
        lambda dispute, _asked: dispute.status in {"lost", "warning_closed"},
        is_anybodys=True,
        refusal=_no_end,
    ),
}


KINDS: Final = tuple(contract.KIND.name for contract in DEEDS)


@dataclass(frozen=True, slots=True)
class _Heard(Heard[DisputeSnapshot]):
    """A dispute."""


def refusal_of(kind: type[DisputeOperation], dispute: Dispute, at: dt.datetime) -> Refusal | None:
    """Return why an operation can't be done to a dispute at that time, as far as it is known here; None if it can."""
    return DEEDS[kind].refusal(dispute, at)


def operate(attempt: Attempt, asked: DisputeOperation) -> Outcome:
    """Do an operation, or find that an earlier attempt has done it."""
    deed = DEEDS[type(asked)]
    stripe_id = _prepare(attempt, asked, deed)
    if isinstance(stripe_id, Outcome):
        return stripe_id
    if not attempt.job.may_have_asked:
        return _ask(attempt, asked, deed, stripe_id)
    heard = _look(attempt, stripe_id)
    if deed.is_done(heard.answer.value, asked):
        return _done(attempt, asked, heard)
    refusal = _refusal_there(attempt, deed, heard.answer)
    if refusal is not None:
        return _refused(attempt, asked, refusal, heard)
    if attempt.job.stopped_for is not None:
        return nothing_found(attempt.runtime, attempt.job)
    if (attempt.job.intent_age or 0.0) >= attempt.runtime.settings.jobs.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    return _ask(attempt, asked, deed, stripe_id)


def _refusal_there(attempt: Attempt, deed: Deed, answer: Answer[DisputeSnapshot]) -> Refusal | None:
    """Return why an operation can't be done by Stripe's word, after an earlier attempt may have asked for it.

    Raises:
        StripeOutcomeUnknownError: if what was sent as the dispute's day ended may still arrive. From then on nothing is
            sent, so a while later it is certain.
    """
    found = answer.value
    refusal = deed.refusal(found, answer.as_of)
    if refusal is None or refusal.code != PAST_DUE or found.due_at is None:
        return refusal
    if (answer.as_of - found.due_at).total_seconds() < attempt.runtime.settings.jobs.generation_wait:
        raise StripeOutcomeUnknownError("the bank takes no answer any more, and shows none so far: it is looked again")
    return refusal


def settle_operation(
    _session: Session, _runtime: Runtime, _job: JobRow, _asked: DisputeOperation, _outcome: Outcome
) -> None:
    """Leave the dispute as it is: only what Stripe says of it changes it."""


def _prepare(attempt: Attempt, asked: DisputeOperation, deed: Deed) -> str | Outcome:
    """Find the dispute at Stripe and commit what will be asked of it, or say why nothing will be."""
    job = attempt.job
    with attempt.transaction(Step.INTENT) as session:
        dispute = session.get(Dispute, asked.dispute_id)
        if dispute is None:
            if job.attempts < PATIENT_ATTEMPTS or job.taken_in_late:
                return waiting_unless_asked(attempt, "DisputeNotHere", f"{asked.dispute_id} is not here yet")
            return refused(UNKNOWN)
        if not job.is_decided:
            # Only once it is known what became of the decision before can be told whose evidence has arrived.
            earlier = wait_for_earlier(attempt, session, dispute.id, KINDS, "dispute")
            if earlier is not None:
                return earlier
            refusal = deed.refusal(dispute, session.execute(_NOW).scalar_one())
            if refusal is not None and not job.may_have_asked:
                return refused(refusal)
            attempt.intend(session, _operation(job, deed), job.intent_generation)
        return dispute.stripe_id


def _operation(job: JobRow, deed: Deed) -> str:
    """Name the operation after its job: other evidence is another request, which Stripe refuses under the same key."""
    return operation_name(job.id, deed.verb, job.intent_generation)


def _ask(attempt: Attempt, asked: DisputeOperation, deed: Deed, stripe_id: str) -> Outcome:
    attempt.before_call()
    try:
        answer = deed.ask(attempt.runtime.stripe.disputes, asked, stripe_id, _operation(attempt.job, deed))
    except StripeInvalidError as error:
        heard = _look(attempt, stripe_id)
        ours = attempt.job.may_have_asked or deed.is_anybodys
        if ours and deed.is_done(heard.answer.value, asked):
            return _done(attempt, asked, heard)
        stripes = Refusal("stripe_refused", f"Stripe refused the request: {error.code or 'no code given'}")
        known = deed.refusal(heard.answer.value, heard.answer.as_of)
        return _refused(attempt, asked, known or stripes, heard, error)
    return _done(attempt, asked, _Heard(answer, "response"))


def _look(attempt: Attempt, stripe_id: str) -> _Heard:
    return _Heard(looked_up(attempt, lambda: attempt.runtime.stripe.disputes.retrieve(stripe_id)), "fetch")


def _done(attempt: Attempt, asked: DisputeOperation, heard: _Heard) -> Outcome:
    runtime, job = attempt.runtime, attempt.job
    return done(lambda session: _apply(session, runtime, job, asked, heard), request_id=heard.answer.request_id)


def _refused(
    attempt: Attempt,
    asked: DisputeOperation,
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


def _apply(session: Session, runtime: Runtime, job: JobRow, asked: DisputeOperation, heard: _Heard) -> None:
    answer = heard.answer
    payment = locked(session, session.get_one(Dispute, asked.dispute_id).payment_id)
    source = source_of(answer, heard.source)
    if apply_dispute(session, runtime, payment, answer.value, source) is Verdict.AMBIGUOUS:
        ask_for_refresh(session, runtime, payment, slot=f"{job.id}/{job.fence}", request_id=job.request_id)
