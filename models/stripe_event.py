"""Stripe's events: which came, and what was made of each."""

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of

# applied: it changed or confirmed one of ours; foreign: it speaks of an object that is none of ours;
# recorded: its type means nothing to us. What can't be read at all has no row: its job is dead.
EVENT_OUTCOMES = ("applied", "foreign", "recorded")


class StripeEventRow(Base):
    """One handled event, without its contents: those lie sealed in its job."""

    __tablename__ = "stripe_events"
    __table_args__ = (CheckConstraint(one_of("outcome", EVENT_OUTCOMES), name="outcome"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    type: Mapped[str]
    object_id: Mapped[str | None]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    invoice_id: Mapped[str | None] = mapped_column(ForeignKey("invoices.id"), index=True)
    created: Mapped[Instant]
    outcome: Mapped[str]
    handled_at: Mapped[Recorded]
