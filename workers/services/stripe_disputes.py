"""The one place that applies a Stripe dispute, whoever brought it: response, event or fetch.

Its money is posted in whatever order it is heard of. Its status goes on in one direction as a rule; what goes against
that, or differs within one second of Stripe's clock, nobody can put in order, so the dispute is fetched once.
"""

import logging
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.dispute import DISPUTE_MOVES, INQUIRY, Dispute
from models.payment import Payment
from tasks.contracts.identity import derived_id
from workers.gateways.balance_snapshots import DisputeSnapshot
from workers.runtime import Runtime
from workers.services.ledger import post_dispute
from workers.services.moves import Source, move, note
from workers.services.standing_disputes import is_disputed
from workers.services.stripe_objects import Verdict, mark_dirty, restate

LOG = logging.getLogger("tollgate.stripe_disputes")
# How far a dispute is; of equal rank are those that exclude each other.
RANKS: Final = {
    "warning_needs_response": 0,
    "warning_under_review": 1,
    "warning_closed": 2,
    "needs_response": 3,
    "under_review": 4,
    "won": 5,
    "lost": 5,
    "prevented": 5,
}
# What tells one snapshot from another of the same second.
_FACTS: Final = ("status", "amount", "due_at", "has_evidence", "submissions", "past_due", "is_charge_refundable")


def dispute_id(runtime: Runtime, stripe_id: str) -> str:
    """Return our id of a dispute at Stripe: the same for ever."""
    return derived_id("dsp", runtime.settings.derivation_key, "stripe", stripe_id)


def apply_dispute(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    snapshot: DisputeSnapshot,
    source: Source,
    *,
    authoritative: bool = False,
) -> Verdict:
    """Apply a dispute to its row and to its payment, whose row the caller has locked. Makes the row if there is none.

    Args:
        session: the caller's transaction.
        runtime: derives the id, and tells the website.
        payment: the locked row.
        snapshot: the dispute.
        source: who brought it.
        authoritative: it was fetched after all that the row knows, so a tie goes to it.

    Returns:
        AMBIGUOUS if the payment is dirty now: a fetch of it brings its disputes as well.
    """
    post_dispute(session, payment, snapshot, source)
    if snapshot.status not in RANKS:
        LOG.error("dispute %s has a status that is not known: %s", snapshot.id, snapshot.status)
        if authoritative:
            return Verdict.NOTHING_NEW
        mark_dirty(payment)  # its charge tells whether it is disputed
        return Verdict.AMBIGUOUS
    dispute = locked_dispute(session, dispute_id(runtime, snapshot.id))
    if dispute is None:
        _begin(session, runtime, payment, snapshot, source)
        verdict = Verdict.TAKEN if authoritative else Verdict.AMBIGUOUS  # of its charge it tells only in part
    elif dispute.payment_id != payment.id:
        LOG.error("dispute %s is of %s, and not of %s: nothing taken", dispute.id, dispute.payment_id, payment.id)
        return Verdict.NOTHING_NEW
    else:
        verdict = _judge(dispute, snapshot, source, authoritative=authoritative)
        if verdict is Verdict.TAKEN:
            _take(dispute, snapshot, source)
            move(session, runtime, dispute, snapshot.status, source)
        _count_money(dispute, snapshot)
    if verdict is Verdict.AMBIGUOUS:
        mark_dirty(payment)
    if verdict is not Verdict.NOTHING_NEW:
        disputed = is_disputed(session, payment, told=payment.disputed)
        payment.disputed = disputed
        payment.version += 1  # its view shows the dispute
        restate(session, runtime, payment, source)
    return verdict


def locked_dispute(session: Session, name: str) -> Dispute | None:
    """Return a dispute with its row locked; its payment is locked before it."""
    statement = select(Dispute).where(Dispute.id == name).with_for_update()
    return session.execute(statement.execution_options(populate_existing=True)).scalar_one_or_none()


def _begin(session: Session, runtime: Runtime, payment: Payment, snapshot: DisputeSnapshot, source: Source) -> None:
    dispute = Dispute(
        id=dispute_id(runtime, snapshot.id),
        client_id=payment.client_id,
        payment_id=payment.id,
        stripe_id=snapshot.id,
        status=snapshot.status,
        currency=snapshot.currency,
        opened_at=snapshot.created,
        withdrawn=0,
        reinstated=0,
    )
    _take(dispute, snapshot, source)
    _count_money(dispute, snapshot)
    session.add(dispute)
    session.flush()  # what follows reads it
    note(session, "dispute", dispute.id, old=None, new=dispute.status, source=source)


def _case_type(snapshot: DisputeSnapshot) -> str:
    if snapshot.case_type in {"chargeback", "inquiry"}:
        return str(snapshot.case_type)
    return "inquiry" if snapshot.status in {*INQUIRY, "warning_closed"} else "chargeback"


def _judge(dispute: Dispute, snapshot: DisputeSnapshot, source: Source, *, authoritative: bool) -> Verdict:
    if not DISPUTE_MOVES.allow(dispute.status, snapshot.status):
        return Verdict.NOTHING_NEW  # nothing leads there from where it stands: it is old, whatever its clock says
    if authoritative:
        return Verdict.TAKEN
    known, new = RANKS[dispute.status], RANKS[snapshot.status]
    if source.as_of == dispute.snapshot_at:
        same = all(getattr(dispute, name) == getattr(snapshot, name) for name in _FACTS)
        return Verdict.NOTHING_NEW if same else Verdict.TAKEN if new > known else Verdict.AMBIGUOUS
    if source.as_of > dispute.snapshot_at:
        return Verdict.TAKEN if new >= known else Verdict.AMBIGUOUS
    return Verdict.AMBIGUOUS if new > known else Verdict.NOTHING_NEW


def _take(dispute: Dispute, snapshot: DisputeSnapshot, source: Source) -> None:
    dispute.stripe_charge_id = snapshot.charge_id or dispute.stripe_charge_id
    dispute.case_type = _case_type(snapshot)
    dispute.reason = snapshot.reason
    dispute.network_reason_code = snapshot.network_reason_code or dispute.network_reason_code
    dispute.amount = snapshot.amount
    dispute.due_at = snapshot.due_at
    dispute.has_evidence = snapshot.has_evidence
    dispute.submissions = snapshot.submissions
    dispute.past_due = snapshot.past_due
    dispute.is_charge_refundable = snapshot.is_charge_refundable
    dispute.snapshot_at = source.as_of


def _count_money(dispute: Dispute, snapshot: DisputeSnapshot) -> None:
    """Take note of what was moved: of each movement there is one, so both sums only grow."""
    moved = [abs(each.amount) if each.currency == snapshot.currency else snapshot.amount for each in snapshot.balances]
    signed = list(zip(snapshot.balances, moved, strict=True))
    dispute.withdrawn = max(dispute.withdrawn, sum(amount for each, amount in signed if each.amount < 0))
    dispute.reinstated = max(dispute.reinstated, sum(amount for each, amount in signed if each.amount > 0))
