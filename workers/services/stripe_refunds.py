"""The one place that applies a Stripe refund, whoever brought it: response, event or fetch.

Every refund at Stripe is one row here, also what the office gives back in Stripe's dashboard. A refund's statuses
follow one another in one direction only, so older news changes nothing, in whatever order it comes. Between the two
that may alternate, Stripe's clock decides; within one of its seconds nobody can tell, and the payment is fetched with
its refunds.

Source: https://docs.stripe.com/refunds and https://docs.stripe.com/api/refunds/object
"""

import logging
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.payment import Payment
from models.refund import AT_STRIPE, CAME_TO_NOTHING, REASONS, REFUND_MOVES, Refund
from tasks.contracts.identity import derived_id
from workers.gateways.snapshots import RefundSnapshot
from workers.gateways.stripe import parse_operation
from workers.runtime import Runtime
from workers.services.announcements import announce
from workers.services.fees import REFUND, ask_for_fee
from workers.services.flags import raise_flag
from workers.services.ledger import post_refund, post_refund_failed
from workers.services.moves import Source, move, note
from workers.services.remainders import given_back
from workers.services.stripe_objects import Verdict, mark_dirty, restate

LOG = logging.getLogger("tollgate.stripe_refunds")
OURS = "ref_"  # with which the ids of our refunds begin
_ALTERNATING = frozenset({"pending", "requires_action"})
UNKNOWN_STATUS = "pending"  # what a status that Stripe adds one day reads as: it is at Stripe, and not over


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a snapshot, and of which refund; an ambiguous one asks for a fetch of the payment."""

    verdict: Verdict
    refund_id: str


def apply_refund(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    snapshot: RefundSnapshot,
    source: Source,
    *,
    authoritative: bool = False,
) -> Applied:
    """Apply a refund to its row, and to its payment, whose row the caller has locked.

    Refunds change only under their payment's lock, so they need none of their own.

    Args:
        session: the caller's transaction.
        runtime: derives the id of a refund that was not ours.
        payment: the locked row.
        snapshot: the refund.
        source: who brought it.
        authoritative: it was fetched after all that the row knows, so a tie goes to it.
    """
    status = snapshot.status if snapshot.status in AT_STRIPE else UNKNOWN_STATUS
    refund = _known(session, payment, snapshot)
    if refund is None:
        refund = _new(session, runtime, payment, snapshot, status, source)
    else:
        verdict = _judge(refund, status, source, authoritative=authoritative)
        if verdict is Verdict.AMBIGUOUS:
            mark_dirty(payment)
        if verdict is not Verdict.TAKEN:
            return Applied(verdict, refund.id)
        _take(refund, snapshot, source)
        move(session, runtime, refund, status, source)
    # When Stripe made the refund it took the money from our balance, and gives it back if the refund comes to nothing.
    post = post_refund_failed if refund.status in CAME_TO_NOTHING else post_refund
    if post(session, payment, refund, source, at=snapshot.created):
        ask_for_fee(session, runtime, payment, REFUND, snapshot.id)
    return Applied(_tell(session, runtime, payment, refund, source), refund.id)


def _take(refund: Refund, snapshot: RefundSnapshot, source: Source) -> None:
    refund.stripe_id = snapshot.id
    refund.amount = snapshot.amount
    refund.failure_reason = snapshot.failure_reason
    refund.snapshot_at = source.as_of


def _known(session: Session, payment: Payment, snapshot: RefundSnapshot) -> Refund | None:
    """Match by Stripe's id, else by operation: the intent precedes the call, so our own refunds find their row."""
    of_payment = select(Refund).where(Refund.payment_id == payment.id).execution_options(populate_existing=True)
    found = session.scalars(of_payment.where(Refund.stripe_id == snapshot.id)).one_or_none()
    name = _our_id(snapshot)
    if found is not None or name is None:
        return found
    named = session.scalars(of_payment.where(Refund.id == name)).one_or_none()
    if named is not None and named.stripe_id is not None:
        LOG.error("%s is %s already, and not %s as well: that is kept by itself", name, named.stripe_id, snapshot.id)
        return None
    return named


def _our_id(snapshot: RefundSnapshot) -> str | None:
    operation = parse_operation(snapshot.operation or "")
    return operation[0] if operation is not None and operation[0].startswith(OURS) else None


def refund_id_of(runtime: Runtime, snapshot: RefundSnapshot) -> str:
    """Return our id of a refund: its operation's, or one derived from Stripe's if it was not made by us."""
    return _our_id(snapshot) or _derived(runtime, snapshot)


def _derived(runtime: Runtime, snapshot: RefundSnapshot) -> str:
    return derived_id("ref", runtime.settings.derivation_key, "stripe", snapshot.id)


def _judge(refund: Refund, status: str, source: Source, *, authoritative: bool) -> Verdict:
    if status == refund.status:
        return Verdict.NOTHING_NEW
    if not {status, refund.status} <= _ALTERNATING:
        return Verdict.TAKEN if REFUND_MOVES.allow(refund.status, status) else Verdict.NOTHING_NEW
    if authoritative or refund.snapshot_at is None or source.as_of > refund.snapshot_at:
        return Verdict.TAKEN
    return Verdict.AMBIGUOUS if source.as_of == refund.snapshot_at else Verdict.NOTHING_NEW


def _new(
    session: Session, runtime: Runtime, payment: Payment, snapshot: RefundSnapshot, status: str, source: Source
) -> Refund:
    """Make the row of a refund that was made in Stripe's dashboard, or whose row a restore has lost."""
    name = refund_id_of(runtime, snapshot)
    if session.get(Refund, name) is not None:
        name = _derived(runtime, snapshot)
    refund = Refund(
        id=name,
        client_id=payment.client_id,
        payment_id=payment.id,
        job_id=None,
        amount=snapshot.amount,
        currency=snapshot.currency,
        reason=snapshot.reason if snapshot.reason in REASONS else None,
        status=status,
    )
    _take(refund, snapshot, source)
    session.add(refund)
    session.flush()  # what follows reads it
    note(session, "refund", refund.id, old=None, new=status, source=source)
    announce(session, runtime, f"refund.{status}", refund)
    return refund


def _tell(session: Session, runtime: Runtime, payment: Payment, refund: Refund, source: Source) -> Verdict:
    """Let the payment know what its refund has come to."""
    if refund.status in CAME_TO_NOTHING:
        if refund.status == "failed":
            details = {"payment": payment.id, "amount": refund.amount, "currency": refund.currency}
            raise_flag(session, runtime, "refund_failed", refund.id, details)
        # The total that was given back falls again. Only a fetch tells to what, for other refunds may be under way.
        mark_dirty(payment)
        return Verdict.AMBIGUOUS
    if payment.stripe_status != "succeeded":
        mark_dirty(payment)
        return Verdict.AMBIGUOUS
    known = min(given_back(session, payment), payment.amount_received)
    payment.amount_refunded = max(payment.amount_refunded, known)
    restate(session, runtime, payment, source)
    return Verdict.TAKEN
