"""Refunds of Tollgate's own accord: late money that is not wanted, and payments of which a bank warns."""

from typing import Final

from sqlalchemy.orm import Session

from models.payment import Payment
from tasks.contracts.identity import derived_id
from tasks.contracts.refunds import CreateRefund
from workers.jobs.follow_up import enqueue
from workers.runtime import Runtime

REQUESTED: Final = "requested_by_customer"
FRAUDULENT: Final = "fraudulent"


def give_back(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    *,
    slot: str,
    reason: str,
    request_id: str = "",
    shown: str | None = None,
) -> None:
    """Leave the job that refunds all that is left of a payment; the same one, however often this is found.

    Args:
        session: the transaction that finds it.
        runtime: derives the refund's id.
        payment: what is given back.
        slot: why, in one word: for each there is one refund of a payment, for ever.
        reason: Stripe's word for it.
        request_id: of whatever led to it.
        shown: what the payment's status is known to be elsewhere (`tasks.contracts.refunds`).
    """
    refund_id = derived_id("ref", runtime.settings.derivation_key, slot, payment.id)
    enqueue(
        session,
        runtime.settings,
        CreateRefund(refund_id, payment.id, amount=None, reason=reason, metadata={}, shown=shown),
        client_id=payment.client_id,
        subject_id=refund_id,
        slot=slot,
        request_id=request_id,
    )
