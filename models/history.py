"""History: every change of a payment's status, append-only."""

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class History(Base):
    """One move of one noun.

    Columns of note:
        source: who brought it: `job`, `response`, `event`, `fetch`.
        evidence: the event's id or Stripe's request id, for whoever asks why.
    """

    __tablename__ = "history"
    __table_args__ = (
        Index("ix_history_subject", "subject_id", "id"),
        # Rows lie in the order in which they were written: a few bytes for each hundred pages tell what is recent.
        Index("ix_history_recorded", "recorded_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    subject_id: Mapped[str]
    old: Mapped[str | None]
    new: Mapped[str]
    source: Mapped[str]
    evidence: Mapped[str | None]
    recorded_at: Mapped[Recorded]
