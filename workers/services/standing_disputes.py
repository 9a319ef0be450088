"""Standing disputes: whether a payment's money is away for one, or gone, and whether any of its disputes is known."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models.dispute import STANDING, Dispute
from models.payment import Payment


def is_disputed(session: Session, payment: Payment, *, told: bool) -> bool:
    """Tell whether a payment is disputed: by a chargeback that is not won. An inquiry leaves its money as it is.

    Args:
        session: the caller's transaction; what was set before is written by the question.
        payment: the locked row.
        told: what Stripe's charge says, which says so of inquiries and of what was won as well. It counts as long as
            not one of the payment's disputes is known.
    """
    statuses = session.scalars(select(Dispute.status).where(Dispute.payment_id == payment.id)).all()
    return any(status in STANDING for status in statuses) if statuses else told


def is_unheard(session: Session, payment: Payment, *, told: bool | None) -> bool:
    """Tell whether Stripe's charge says that a payment was disputed, and no dispute of it is known.

    Arguments as those of `is_disputed`; `told` is None if the charge was not shown.
    """
    return bool(told) and not session.scalar(select(exists().where(Dispute.payment_id == payment.id)))
