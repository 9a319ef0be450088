"""Endpoints: where a client's website hears what became of its payments and refunds."""

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded


class Endpoint(Base):
    """One address of one client, with the secrets that sign what is sent there.

    Columns of note:
        secret, former_secret: sealed; while both are there, each notification carries a signature by each.
        former_until: when the former one signs no more; None for until an operator says so.
        types: which it hears; empty for all.
        disabled_at: nothing more is sent, and what is queued becomes a dead letter.
    """

    __tablename__ = "endpoints"
    __table_args__ = (CheckConstraint("former_until IS NULL OR former_secret IS NOT NULL", name="former"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"), index=True)
    url: Mapped[str]
    secret: Mapped[bytes]
    former_secret: Mapped[bytes | None]
    former_until: Mapped[Instant | None]
    types: Mapped[list[str]] = mapped_column(ARRAY(String))
    disabled_at: Mapped[Instant | None]
    created_at: Mapped[Recorded]
