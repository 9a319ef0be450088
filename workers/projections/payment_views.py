"""The views of payments, read from their rows."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select, text
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.declines import customer_words
from models.dispute import NEEDS_RESPONSE, Dispute
from models.encrypted import decrypt
from models.payment import Payment
from tasks.contracts.views import PaymentView, seat_hold
from workers.projections.instants import rfc3339

# Once no more can be paid with it, the client secret is kept from the view: fewer secrets, fewer mistakes.
_PAYABLE = frozenset({"requires_confirmation", "requires_action", "declined"})


def read_payment_views(session: Session, ring: Keyring, payment_ids: Sequence[str]) -> list[tuple[int, PaymentView]]:
    """Return version and view of each payment that exists."""
    # The flags after the rows: a flag that comes between them has raised the version, and is shown once more.
    rows = session.scalars(select(Payment).where(Payment.id.in_(payment_ids))).all()
    flags = defaultdict[str, list[str]](list)
    for subject, kind in session.execute(_FLAGS, {"ids": list(payment_ids)}):
        flags[subject].append(kind)
    disputes = {dispute.payment_id: dispute for dispute in session.scalars(_disputes(payment_ids))}
    return [(row.version, _view(row, ring, flags[row.id], disputes.get(row.id))) for row in rows]


def _disputes(payment_ids: Sequence[str]) -> Select[Dispute]:
    """Ask for the disputes of payments, the newest of each last."""
    return select(Dispute).where(Dispute.payment_id.in_(payment_ids)).order_by(Dispute.opened_at, Dispute.id)


def _dispute(row: Dispute) -> dict[str, Any]:
    return {
        "id": row.id,
        "status": row.status,
        "reason": row.reason,
        "amount": row.amount,
        "currency": row.currency,
        "due_by": None if row.due_at is None else rfc3339(row.due_at),
        # An escalated inquiry wants another answer than was sent before.
        "answered": row.submissions > 0 and row.status not in NEEDS_RESPONSE,
    }


_FLAGS = text("SELECT subject_id, kind FROM flags WHERE subject_id = ANY(:ids) AND cleared_at IS NULL ORDER BY kind")


def _view(row: Payment, ring: Keyring, flags: list[str], dispute: Dispute | None) -> PaymentView:
    secret = row.client_secret if row.status in _PAYABLE else None
    return PaymentView(
        id=row.id,
        client_id=row.client_id,
        job_id=row.job_id,
        status=row.status,
        amount=row.amount,
        amount_received=row.amount_received,
        amount_refunded=row.amount_refunded,
        currency=row.currency,
        booking_reference=row.booking_reference,
        stripe_payment_intent=row.stripe_id,
        client_secret=None if secret is None else decrypt(ring, "payments", "client_secret", row.id, secret),
        decline=customer_words(row.decline_code) if row.status == "declined" else None,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
        amount_capturable=row.amount_capturable,
        capture=row.capture_method,
        capture_before=rfc3339(row.capture_before) if row.capture_before and row.status == "requires_capture" else None,
        seat_hold=seat_hold(row.hold_token, rfc3339(row.hold_expires_at), row.hold_late)
        if row.hold_expires_at
        else None,
        flags=flags,
        invoice_id=row.invoice_id,
        dispute=None if dispute is None else _dispute(dispute),
    )
