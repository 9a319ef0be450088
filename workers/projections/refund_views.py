"""The views of refunds, read from their rows."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.refund import Refund
from tasks.contracts.views import RefundView
from workers.projections.instants import rfc3339


def read_refund_views(session: Session, _ring: Keyring, refund_ids: Sequence[str]) -> list[tuple[int, RefundView]]:
    """Return version and view of each refund that exists."""
    rows = session.scalars(select(Refund).where(Refund.id.in_(refund_ids)))
    return [(row.version, _view(row)) for row in rows]


def _view(row: Refund) -> RefundView:
    return RefundView(
        id=row.id,
        client_id=row.client_id,
        payment_id=row.payment_id,
        job_id=row.job_id,
        status=row.status,
        amount=row.amount,
        currency=row.currency,
        reason=row.reason,
        failure_reason=row.failure_reason,
        stripe_refund=row.stripe_id,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
    )
