"""What operators did to jobs, queues, flags and the journal: who, when, why. Append-only, like history."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded, one_of

ACTIONS = ("replay", "discard", "cancel", "pause", "resume", "reread", "clear", "not_done", "submit", "accept")


class OperatorAction(Base):
    """One act on one subject.

    Columns of note:
        subject: a job's id, a queue's name, what a flag is about, or `journal`.
        details: what it was like before, such as verdict and last error; never personal data.
    """

    __tablename__ = "operator_actions"
    __table_args__ = (
        CheckConstraint(one_of("action", ACTIONS), name="action"),
        CheckConstraint("operator <> '' AND reason <> ''", name="said"),
        Index("ix_operator_actions_subject", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    action: Mapped[str]
    subject: Mapped[str]
    operator: Mapped[str]
    reason: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    acted_at: Mapped[Recorded]
