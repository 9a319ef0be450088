"""Remainders: how much of a payment was given back, and how much still may be."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.currencies import rounding_flaw
from models.payment import Payment
from models.refund import GIVEN_BACK, UNSENT, Refund
from tasks.contracts.payment_operations import CapturePayment
from tasks.contracts.payments import CreatePayment
from workers.services.refusals import Refusal

NOT_PAID = "payment_not_paid"
PAID = frozenset({"paid", "partially_refunded", "refunded"})
# Jobs that may yet bring a payment's money: who asked for it back after them gets it back after them.
BRINGERS = (CreatePayment.KIND.name, CapturePayment.KIND.name)

DISPUTED = Refusal("payment_disputed", "A disputed charge is not refunded.")
ALREADY_REFUNDED = Refusal("already_refunded", "Nothing is left of the payment to give back.")


@dataclass(frozen=True, slots=True)
class Unclear:
    """It can't be told yet: some refunds may or may not be among Stripe's total already."""

    detail: str


def remainder(session: Session, payment: Payment, asked: int | None) -> int | Refusal | Unclear:
    """Return the minor units to be reserved, what was asked for or the rest, of a payment that the caller has locked.

    Nothing is counted twice or left out: of the refunds that Stripe has told of, its own total or the sum of our rows,
    whichever is more, and besides what our other refunds have reserved without Stripe having told of them. An event may
    have raised Stripe's total before we know for which of our refunds; as long as that matters, it is unclear.
    """
    refusal = _refusal(payment, asked)
    if refusal is not None:
        return refusal
    known, unsent = given_back(session, payment), _unsent(session, payment)
    surely = payment.amount_received - max(payment.amount_refunded, known) - unsent
    at_most = payment.amount_received - max(payment.amount_refunded, known + unsent)
    if at_most <= 0:
        return ALREADY_REFUNDED
    if asked is not None and asked > at_most:
        return Refusal("amount_too_large", f"Of the payment {at_most} is left to give back, in minor units.")
    wanted = at_most if asked is None else asked
    if wanted > surely:
        return Unclear(f"{unsent} of {payment.amount_received} may or may not be given back already")
    return wanted


def _refusal(payment: Payment, asked: int | None) -> Refusal | None:
    """Return why nothing of that amount is given back, however much is left."""
    if payment.status == "disputed":
        return DISPUTED
    if payment.status not in PAID:
        return Refusal(NOT_PAID, "The payment has not been paid.")
    flaw = None if asked is None else rounding_flaw(asked, payment.currency)
    return None if flaw is None else Refusal(flaw.code, flaw.words)


def given_back(session: Session, payment: Payment) -> int:
    """Return the minor units that all refunds together which Stripe is known to have made take out of a payment."""
    made = (Refund.payment_id == payment.id, Refund.stripe_id.is_not(None), Refund.status.in_(GIVEN_BACK))
    return int(session.scalar(select(func.coalesce(func.sum(Refund.amount), 0)).where(*made)) or 0)


def _unsent(session: Session, payment: Payment) -> int:
    """Return what the payment's refunds have reserved that Stripe is not known to have made."""
    held = (Refund.payment_id == payment.id, Refund.stripe_id.is_(None), Refund.status.in_(UNSENT))
    return int(session.scalar(select(func.coalesce(func.sum(Refund.amount), 0)).where(*held)) or 0)
