"""Schedules: which slots of scheduled work have been given out, each once whatever the number of dispatchers."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded


class Schedule(Base):
    """One slot of one piece of scheduled work, and the job that does it."""

    __tablename__ = "schedules"

    name: Mapped[str] = mapped_column(primary_key=True)
    slot: Mapped[Instant] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"))
    created_at: Mapped[Recorded]
