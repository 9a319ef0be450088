"""Fees: what Stripe keeps of each charge and refund, looked up once and posted.

The job that looks is left behind in the transaction that posts the charge or refund, so no fee is forgotten.
"""

from sqlalchemy.orm import Session

from models.payment import Payment
from tasks.contracts.ledger import PostFee
from workers.gateways.balance_snapshots import Booking
from workers.gateways.snapshots import Answer
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting
from workers.runtime import Runtime
from workers.services.ledger import post_fee
from workers.services.moves import Source

CHARGE, REFUND = "charge", "refund"
# Nobody waits for a fee, and a card that is captured asynchronously has no balance transaction in the first moment.
FEE_SECONDS = 2.0


def ask_for_fee(session: Session, runtime: Runtime, payment: Payment, noun: str, stripe_id: str) -> None:
    """Leave a job that posts the fee of a charge or refund, in the transaction that posts that; once for each."""
    enqueue(
        session,
        runtime.settings,
        PostFee(payment.id, noun, stripe_id),
        client_id=payment.client_id,
        subject_id=payment.id,
        slot=stripe_id,
        request_id="",
        delay=FEE_SECONDS,
    )


def collect(attempt: Attempt, request: PostFee) -> Outcome:
    """Post the fee, or wait while Stripe has not booked the charge or refund yet."""
    attempt.before_call()
    answer = _look(attempt.runtime, request)
    balance = answer.value.balance
    if balance is None and answer.value.may_come:
        message = f"{request.stripe_id} has no balance transaction yet"
        return waiting(attempt.runtime, attempt.job, "NotBooked", message, request_id=answer.request_id)

    def write(session: Session) -> None:
        if balance is not None:
            post_fee(session, request.payment_id, balance, Source("fetch", answer.as_of, answer.request_id))

    return done(write, request_id=answer.request_id)


def _look(runtime: Runtime, request: PostFee) -> Answer[Booking]:
    if request.noun == REFUND:
        return runtime.stripe.retrieve_refund_booking(request.stripe_id)
    return runtime.stripe.retrieve_charge_booking(request.stripe_id)


def settle_fee(_session: Session, _runtime: Runtime, _job: JobRow, _request: PostFee, _outcome: Outcome) -> None:
    """Leave the payment as it is: its dead letter tells that a fee is missing."""
