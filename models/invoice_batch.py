"""Batches: invoices that were posted together; each goes its own way."""

from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class InvoiceBatch(Base):
    """One batch, from the moment on when its invoices have jobs.

    Columns of note:
        entries: `{line, invoice, job}` or `{line, problem}` for each line that was posted, in their order; never
            personal data.
    """

    __tablename__ = "invoice_batches"
    __table_args__ = (
        Index("ix_invoice_batches_unprojected", "id", postgresql_where=text("version > projected_version")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    entries: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column(server_default="1")
    projected_version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded] = mapped_column(onupdate=text("clock_timestamp()"))
