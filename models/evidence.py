"""Evidence: what the website has posted for the day on which a payment is disputed. Every piece is kept as it came."""

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from config.evidence import MOST_TEXT, TEXTS
from models.base import Base, Instant, Recorded, one_of


class PaymentEvidence(Base):
    """One text for one of Stripe's fields, as one request brought it. It never changes.

    Columns of note:
        text: sealed. Its cell is named by `piece_cell`.
        characters: of the text.
        accepted_at: when the door took it, which puts pieces in their order.
    """

    __tablename__ = "payment_evidence"
    __table_args__ = (
        CheckConstraint(one_of("field", TEXTS), name="field"),
        CheckConstraint(f"characters BETWEEN 1 AND {MOST_TEXT}", name="characters"),
        Index("ix_payment_evidence_payment", "payment_id", "accepted_at", "job_id"),
    )

    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    text: Mapped[bytes]
    characters: Mapped[int]
    accepted_at: Mapped[Instant]
    created_at: Mapped[Recorded]


def piece_cell(job_id: str, field: str) -> str:
    """Return by what name a piece's sealed cell is bound to its row."""
    return f"{job_id}/{field}"
