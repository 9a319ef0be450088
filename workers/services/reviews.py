"""Reviews: whether a payment's money came after its seats were gone, and whether its booking is paid twice."""

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config.errors import StripeInvalidError
from models.payment import Payment
from tasks.contracts.payments import ReviewPayment
from tasks.contracts.steps import Step
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.projections.instants import rfc3339
from workers.runtime import Runtime
from workers.services.bookings import IS_LIVE, PAID, duplicate_details, is_late, is_live
from workers.services.flags import raise_flag
from workers.services.own_refunds import REQUESTED, give_back

SLOT = "late"  # of the refund of late money: one for each payment, for ever
MOST = 100  # payments of one booking that are looked at, the newest: no sound booking has nearly as many
_LIVE = text(f"""
SELECT live.id FROM payments AS own JOIN payments AS live USING (client_id, booking_reference)
WHERE own.id = :id AND {IS_LIVE.format(table="live")} ORDER BY live.created_at DESC, live.id LIMIT {MOST}
""")  # noqa: S608 - built of constants


def review(attempt: Attempt, request: ReviewPayment) -> Outcome:
    """Flag late and duplicate money of a payment and its booking, and give late money back if that was asked for.

    Late is what was charged after the hold had ended. When it looks late, the charge itself is looked at: an event may
    bear a later second, and of a manual capture it is the charge that shows when the customer paid.
    """
    runtime = attempt.runtime
    with attempt.transaction(Step.HOLD) as session:
        payment = session.get_one(Payment, request.payment_id)
        looks_late = is_late(payment, payment.paid_at)
        stripe_id = payment.stripe_id
        live = session.scalars(_LIVE, {"id": payment.id}).all()
    charged_at, request_id = None, None
    if looks_late and stripe_id is not None:
        charged_at, request_id = _charged_at(attempt, stripe_id)

    def record(session: Session) -> None:
        # In the order of ids, as whoever else locks several payments.
        payments = _locked(session, {*live, request.payment_id})
        [payment] = [each for each in payments if each.id == request.payment_id]
        if looks_late and is_late(payment, charged_at or payment.paid_at):
            _late(session, runtime, payment, charged_at or payment.paid_at)
        _duplicates(session, runtime, payments, asked=request.asked)

    return done(record, request_id=request_id, touched=tuple(live))


def settle(_session: Session, _runtime: Runtime, _job: JobRow, _request: ReviewPayment, _outcome: Outcome) -> None:
    """Leave the payment as it is: it is looked at again."""


def _charged_at(attempt: Attempt, stripe_id: str) -> tuple[dt.datetime | None, str | None]:
    attempt.before_call()
    try:
        answer = attempt.runtime.stripe.retrieve_payment_intent(stripe_id)
    except StripeInvalidError:
        return None, None  # Stripe shows it no more: what was heard of it must do
    return answer.value.charge_created, answer.request_id


def _locked(session: Session, ids: set[str]) -> Sequence[Payment]:
    statement = select(Payment).where(Payment.id.in_(ids)).order_by(Payment.id).with_for_update()
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _late(session: Session, runtime: Runtime, payment: Payment, charged_at: dt.datetime | None) -> None:
    assert payment.hold_expires_at is not None  # noqa: S101 - it is late by that
    assert charged_at is not None  # noqa: S101 - likewise
    details = {
        "charged_at": rfc3339(charged_at),
        "hold_expired_at": rfc3339(payment.hold_expires_at),
        "then": payment.hold_late,
    }
    raise_flag(session, runtime, "late_payment", payment.id, details)
    if payment.hold_late == "refund":
        give_back(session, runtime, payment, slot=SLOT, reason=REQUESTED)


def _duplicates(session: Session, runtime: Runtime, payments: Sequence[Payment], *, asked: bool) -> None:
    paid = [payment for payment in payments if payment.status in PAID]
    live = [payment for payment in payments if is_live(payment)]
    double = paid if len(paid) > 1 else live if asked and len(live) > 1 else []
    details = duplicate_details([payment.id for payment in double], paid=len(paid) > 1)
    for payment in double:
        raise_flag(session, runtime, "duplicate_payment", payment.id, details)
