"""The views of batches, read from their rows."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.invoice_batch import InvoiceBatch
from tasks.contracts.views import BatchView
from workers.projections.instants import rfc3339


def read_batch_views(session: Session, _ring: Keyring, batch_ids: Sequence[str]) -> list[tuple[int, BatchView]]:
    """Return version and view of each batch that has been opened."""
    rows = session.scalars(select(InvoiceBatch).where(InvoiceBatch.id.in_(batch_ids)))
    return [
        (
            row.version,
            BatchView(
                id=row.id,
                client_id=row.client_id,
                job_id=row.job_id,
                entries=row.entries,
                opened=True,
                created_at=rfc3339(row.created_at),
                updated_at=rfc3339(row.updated_at),
            ),
        )
        for row in rows
    ]
