"""Queues as operators set them: paused or not."""

from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant


class Queue(Base):
    """One queue that an operator has paused at least once; it is paused now if `paused_at` is set.

    Who paused it, and why, is in `operator_actions`.
    """

    __tablename__ = "queues"

    name: Mapped[str] = mapped_column(primary_key=True)
    paused_at: Mapped[Instant | None]
