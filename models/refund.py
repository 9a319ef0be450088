"""Refunds: money given back of a payment, asked for by the website, by us, or by the office in Stripe's dashboard."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of
from models.states import Moves

# `processing` and `checking` have reserved their amount and may have been asked of Stripe. A refund that succeeded may
# still fail when the customer's bank sends it back (https://docs.stripe.com/refunds#failed-refunds).
AT_STRIPE = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})
REFUND_MOVES = Moves(
    "refund",
    {
        "processing": AT_STRIPE | {"checking", "refused"},
        "checking": AT_STRIPE | {"processing", "refused"},
        "pending": AT_STRIPE,
        "requires_action": AT_STRIPE,
        "succeeded": frozenset({"failed"}),
        "failed": frozenset(),
        "canceled": frozenset(),
        # Proof that nothing was given back; a replay of its dead job may yet do it.
        "refused": AT_STRIPE | {"processing", "checking"},
    },
)
REASONS = ("duplicate", "fraudulent", "requested_by_customer")  # Stripe's: https://docs.stripe.com/api/refunds/object
# What takes its amount out of what is left to be refunded.
HOLDING = ("processing", "checking", "pending", "requires_action", "succeeded")
CAME_TO_NOTHING = ("failed", "canceled")
GIVEN_BACK = ("pending", "requires_action", "succeeded")  # what Stripe counts in its total
UNSENT = ("processing", "checking")  # and without an id of Stripe's: in none of Stripe's totals yet


class Refund(Base):
    """One refund of one payment.

    Columns of note:
        job_id: that asks Stripe; None for a refund made in Stripe's dashboard.
        amount: minor units.
        snapshot_at: how new what we know of it is, by Stripe's clock.
        version: grows with every change that the view shows.
    """

    __tablename__ = "refunds"
    __table_args__ = (
        CheckConstraint(one_of("status", REFUND_MOVES.states), name="status"),
        CheckConstraint("reason IS NULL OR " + one_of("reason", REASONS), name="reason"),
        CheckConstraint("amount > 0", name="amount"),
        Index("ix_refunds_on_the_way", "created_at", postgresql_where=text(one_of("status", UNSENT))),
        Index("ix_refunds_unprojected", "id", postgresql_where=text("version > projected_version")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"), index=True)
    job_id: Mapped[str | None] = mapped_column(ForeignKey("jobs.id"), index=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    reason: Mapped[str | None]
    status: Mapped[str]
    failure_reason: Mapped[str | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    snapshot_at: Mapped[Instant | None]
    version: Mapped[int] = mapped_column(server_default="1")
    projected_version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded] = mapped_column(onupdate=text("clock_timestamp()"))
