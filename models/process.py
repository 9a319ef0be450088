"""Processes: which dispatchers and workers are there, by their own word."""

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Recorded


class Process(Base):
    """One process that works on jobs.

    Columns of note:
        name: kind, host, process id and a few letters of chance; attempts carry it.
        seen_at: its last sign of life. An attempt whose process was seen after the lease ran out did not die with it.
        strays: messages it took off a queue that were no hints.
    """

    __tablename__ = "processes"

    name: Mapped[str] = mapped_column(primary_key=True)
    started_at: Mapped[Recorded]
    seen_at: Mapped[Recorded]
    strays: Mapped[int] = mapped_column(BigInteger, server_default="0")
