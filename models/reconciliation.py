"""Reconciliations: what was held against Stripe, and what came of it."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of

STARTERS = ("schedule", "operator")


class Reconciliation(Base):
    """One run.

    Columns of note:
        since, until: the time that was compared, by Stripe's clock (UTC).
        movements: how many balance transactions of Stripe's were compared.
        breaks: how many differences were found, without those that are only explained.
        remainder: by currency, what nothing explains (minor units); empty if everything is.
        report: breaks and totals of each day, as far as the run has come; ids and amounts only.
    """

    __tablename__ = "reconciliations"
    __table_args__ = (
        CheckConstraint(one_of("started_by", STARTERS), name="started_by"),
        CheckConstraint("since < until", name="time"),
        Index("ix_reconciliations_started", "started_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    started_by: Mapped[str]
    since: Mapped[Instant]
    until: Mapped[Instant]
    started_at: Mapped[Recorded]
    finished_at: Mapped[Instant | None]
    movements: Mapped[int] = mapped_column(BigInteger)
    breaks: Mapped[int]
    remainder: Mapped[dict[str, Any]] = mapped_column(JSONB)
    report: Mapped[dict[str, Any]] = mapped_column(JSONB)
