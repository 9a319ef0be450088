"""How far Stripe's list of events has been compared with what was handled."""

from sqlalchemy import BigInteger, ForeignKey, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded


class EventCursor(Base):
    """The one row of an account's events.

    Columns of note:
        through: every event that Stripe made before it has been compared (UTC, by Stripe's clock).
        event_id: the newest of them, None before the first.
        goes_on_in: the job that goes on with a look which is not whole yet.
        missed, missed_since: events that came by no webhook since the last look that found none, and the oldest's time.
    """

    __tablename__ = "event_cursors"

    name: Mapped[str] = mapped_column(primary_key=True)
    through: Mapped[Instant]
    event_id: Mapped[str | None]
    goes_on_in: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"))
    missed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    missed_since: Mapped[Instant | None]
    looked_at: Mapped[Recorded]
