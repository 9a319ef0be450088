"""Refreshes: fetching once a PaymentIntent of which something ambiguous was heard."""

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models.payment import Payment
from models.payment_status import TERMINAL_AT_STRIPE
from models.refund import Refund
from tasks.contracts.payments import RefreshPayment
from tasks.contracts.steps import Step
from workers.gateways.balance_snapshots import DisputeSnapshot
from workers.gateways.snapshots import Answer, RefundSnapshot
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.moves import Source
from workers.services.remainders import given_back
from workers.services.standing_disputes import is_unheard
from workers.services.stripe_disputes import apply_dispute
from workers.services.stripe_objects import Verdict, apply_payment_intent, locked
from workers.services.stripe_refunds import apply_refund, refund_id_of

# Stripe's clock tells seconds: after this long, what happened in the same second is over, and often cleared up.
SETTLE_SECONDS = 1.2


def ask_for_refresh(session: Session, runtime: Runtime, payment: Payment, *, slot: str, request_id: str) -> None:
    """Leave a job that fetches a dirty payment once; the same slot asks only once."""
    enqueue(
        session,
        runtime.settings,
        RefreshPayment(payment.id),
        client_id=payment.client_id,
        subject_id=payment.id,
        slot=slot,
        request_id=request_id,
        delay=SETTLE_SECONDS,
    )


def refresh(attempt: Attempt, request: RefreshPayment) -> Outcome:
    """Fetch a payment's PaymentIntent, refunds and disputes and apply them, unless all of it is known and clean by now.

    A request that says `even_if_clear` comes from who knows that something is amiss.
    """
    runtime = attempt.runtime
    with attempt.transaction(Step.HOLD) as session:
        payment = session.get_one(Payment, request.payment_id)
        stripe_id, version = payment.stripe_id, payment.version
        clear = not payment.dirty and payment.stripe_status in TERMINAL_AT_STRIPE
        clear = clear and given_back(session, payment) >= payment.amount_refunded
        refunded = session.scalar(select(exists().where(Refund.payment_id == payment.id)))
        clear = clear and not is_unheard(session, payment, told=payment.disputed)
    if (clear and not request.even_if_clear) or stripe_id is None:
        return done(lambda _session: None)
    attempt.before_call()
    answer = runtime.stripe.retrieve_payment_intent(stripe_id)
    refunds = _refunds(attempt, stripe_id) if refunded or answer.value.amount_refunded else None
    disputes = _disputes(attempt, stripe_id) if answer.value.disputed else None

    def record(session: Session) -> None:
        payment = locked(session, request.payment_id)
        source = Source("fetch", answer.as_of, answer.request_id)
        # What was heard while the answer was on its way may be newer than the answer.
        undisturbed = payment.version == version
        # First: the charge says of an inquiry, too, that it is disputed, and the website would hear so.
        told = _apply_disputes(session, runtime, payment, disputes, authoritative=undisturbed)
        apply_payment_intent(session, runtime, payment, answer.value, source, authoritative=undisturbed)
        told |= _apply_refunds(session, runtime, payment, refunds, authoritative=undisturbed)
        payment.dirty = not undisturbed or Verdict.AMBIGUOUS in told
        if payment.dirty:
            slot = f"{attempt.job.id}/{attempt.job.fence}"
            ask_for_refresh(session, runtime, payment, slot=slot, request_id=attempt.job.request_id)

    touched = () if refunds is None else tuple(refund_id_of(runtime, each) for each in refunds.value)
    return done(record, request_id=answer.request_id, touched=touched)


def _refunds(attempt: Attempt, stripe_id: str) -> Answer[Sequence[RefundSnapshot]]:
    attempt.before_call()
    return attempt.runtime.stripe.list_refunds(stripe_id, attempt.before_call)


def _disputes(attempt: Attempt, stripe_id: str) -> Answer[Sequence[DisputeSnapshot]]:
    attempt.before_call()
    return attempt.runtime.stripe.disputes.of_intent(stripe_id, attempt.before_call)


def _apply_refunds(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    refunds: Answer[Sequence[RefundSnapshot]] | None,
    *,
    authoritative: bool,
) -> set[Verdict]:
    """Apply a list of refunds; the payment's total is a little older, so what the list knows better asks again."""
    if refunds is None:
        return set()
    source = Source("fetch", refunds.as_of, refunds.request_id)
    return {
        apply_refund(session, runtime, payment, each, source, authoritative=authoritative).verdict
        for each in refunds.value
    }


def _apply_disputes(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    disputes: Answer[Sequence[DisputeSnapshot]] | None,
    *,
    authoritative: bool,
) -> set[Verdict]:
    """Apply a list of disputes, the oldest first: so a dispute whose events were lost is known all the same."""
    if disputes is None:
        return set()
    source = Source("fetch", disputes.as_of, disputes.request_id)
    return {
        apply_dispute(session, runtime, payment, each, source, authoritative=authoritative)
        for each in reversed(disputes.value)
    }


def settle_refresh(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: RefreshPayment, _outcome: Outcome
) -> None:
    """Leave the payment as it is: what is known of it stays true until something newer is heard."""
