"""Early fraud warnings: the card's bank says that a payment may be fraud, often weeks before it is disputed.

A payment that is given back before it is disputed costs no dispute fee and does not count as a dispute
(https://docs.stripe.com/disputes/measuring#early-fraud-warnings). Below an amount that is set this is done by itself;
above it the payment is flagged, and an operator decides.
"""

from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.payment import Payment
from models.stripe_event import StripeEventRow
from tasks.contracts.payment_operations import CancelPayment
from workers.gateways.fraud_warnings import FraudWarningSnapshot
from workers.jobs.follow_up import enqueue
from workers.runtime import Runtime
from workers.services.flags import clear_flag, raise_flag
from workers.services.own_refunds import FRAUDULENT, give_back

FAMILY: Final = "radar.early_fraud_warning."
UPDATED: Final = f"{FAMILY}updated"
FLAG: Final = "fraud_warning"
SLOT: Final = "fraud_warning"  # of what is given back: once for each payment, for ever
HELD: Final = "requires_capture"
PAID: Final = "paid"


def heed(session: Session, runtime: Runtime, payment: Payment, warning: FraudWarningSnapshot, request_id: str) -> None:
    """Flag a payment of which its bank warns, and give it back if it is below the amount that is set.

    Args:
        session: the caller's transaction, which has locked the payment.
        runtime: its settings hold the policy.
        payment: what the warning is of.
        warning: as an event tells of it, in whatever order.
        request_id: of the event.
    """
    if not warning.actionable or _is_over(session, payment, warning):
        clear_flag(session, FLAG, payment.id)
        return
    then = _give_back(session, runtime, payment, request_id) if _is_below(runtime, payment) else "nothing"
    details = {"warning": warning.id, "fraud_type": warning.fraud_type, "then": then}
    raise_flag(session, runtime, FLAG, payment.id, details)


def _is_over(session: Session, payment: Payment, warning: FraudWarningSnapshot) -> bool:
    """Tell whether a warning's end was heard of before its beginning: Stripe updates one only when it is over."""
    ended = select(StripeEventRow.id).where(
        StripeEventRow.payment_id == payment.id,
        StripeEventRow.object_id == warning.id,
        StripeEventRow.type == UPDATED,
    )
    return session.scalar(ended.limit(1)) is not None


def _is_below(runtime: Runtime, payment: Payment) -> bool:
    taken = payment.amount_received or payment.amount  # what was taken may not have been heard of
    return runtime.settings.fraud.gives_back(taken, payment.currency)


def _give_back(session: Session, runtime: Runtime, payment: Payment, request_id: str) -> str:
    """Leave the job that refunds what was taken, or releases what is held; return which."""
    if payment.status == HELD:
        enqueue(
            session,
            runtime.settings,
            CancelPayment(payment.id, FRAUDULENT, shown=True),
            client_id=payment.client_id,
            subject_id=payment.id,
            slot=SLOT,
            request_id=request_id,
        )
        return "cancel"
    # There is a charge, whatever is known of it here: the refund waits until that is known as well.
    give_back(session, runtime, payment, slot=SLOT, reason=FRAUDULENT, request_id=request_id, shown=PAID)
    return "refund"
