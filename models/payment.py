"""Payments: ours, and what we know of their PaymentIntents."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of
from models.states import Moves

# Nothing leads back from where money has moved. What is open may become anything: a fetch may find a payment paid and
# refunded of which nothing was heard meanwhile.
_MONEY_MOVED = frozenset({"paid", "partially_refunded", "refunded", "disputed"})
_OPEN = _MONEY_MOVED | {
    "requires_confirmation",
    "requires_action",
    "requires_capture",
    "declined",
    "checking",
    "canceled",
    "failed",
    "in_review",
    "processing",
}

PAYMENT_MOVES = Moves(
    "payment",
    {
        "processing": _OPEN,
        "requires_confirmation": _OPEN,
        "requires_action": _OPEN,
        "requires_capture": _OPEN,
        "declined": _OPEN,
        "in_review": _OPEN,
        "checking": _OPEN,
        "paid": _MONEY_MOVED,
        "partially_refunded": _MONEY_MOVED,
        "refunded": _MONEY_MOVED,
        "disputed": _MONEY_MOVED,
        # These say that nothing happened so far. A replay of its dead job may yet make a failed payment; of a request
        # that a frozen worker sends long after its job was cancelled, an event tells.
        "canceled": _OPEN,
        "failed": _OPEN,
    },
)

ON_THE_WAY = ("processing", "checking")  # not for longer than its job may take
CAPTURE_METHODS = ("automatic", "manual")
LATE = ("confirm", "refund")  # money that comes after the seat hold has ended is kept, or given back


class Payment(Base):
    """One payment of one booking. Everything personal is sealed and bound to this row.

    Columns of note:
        amount…: minor units.
        amount_capturable: what the card's bank holds for a capture; capture_before: until then, by Stripe's clock.
        saved_card: Stripe's id of the card that an off-session payment charges, committed before Stripe is asked.
        invoice_id: the invoice for which Stripe made it, and whose job its `job_id` is; None for what was asked of us.
        hold…: the seats that were kept for this payment until then, and what to do with money that comes later.
        paid_at: when money first came, by Stripe's clock.
        snapshot_at: how new what we know of the PaymentIntent is, by Stripe's clock.
        dirty: what was heard last is ambiguous; a fetch is under way.
        version: grows with every change that the view shows.
    """

    __tablename__ = "payments"
    __table_args__ = (
        CheckConstraint(one_of("status", PAYMENT_MOVES.states), name="status"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("amount_refunded BETWEEN 0 AND amount_received", name="refunded"),
        CheckConstraint(one_of("capture_method", CAPTURE_METHODS), name="capture_method"),
        CheckConstraint("hold_late IS NULL OR " + one_of("hold_late", LATE), name="hold_late"),
        CheckConstraint("(hold_token IS NULL) = (hold_expires_at IS NULL)", name="hold"),
        Index("ix_payments_booking", "client_id", "booking_reference", "created_at", "id"),
        Index("ix_payments_customer", "customer_id", "created_at", "id"),
        Index("ix_payments_charge", "stripe_charge_id", postgresql_where=text("stripe_charge_id IS NOT NULL")),
        Index("ix_payments_on_the_way", "created_at", postgresql_where=text(one_of("status", ON_THE_WAY))),
        Index("ix_payments_unprojected", "id", postgresql_where=text("version > projected_version")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    invoice_id: Mapped[str | None] = mapped_column(index=True)
    booking_reference: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str]
    status: Mapped[str]
    amount_received: Mapped[int] = mapped_column(BigInteger, server_default="0")
    amount_refunded: Mapped[int] = mapped_column(BigInteger, server_default="0")
    amount_capturable: Mapped[int] = mapped_column(BigInteger, server_default="0")
    disputed: Mapped[bool] = mapped_column(server_default="false")
    capture_method: Mapped[str] = mapped_column(server_default="automatic")
    capture_before: Mapped[Instant | None]
    off_session: Mapped[bool] = mapped_column(server_default="false")
    saved_card: Mapped[str | None]
    hold_token: Mapped[str | None]
    hold_expires_at: Mapped[Instant | None]
    hold_late: Mapped[str | None]
    paid_at: Mapped[Instant | None]
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_status: Mapped[str | None]
    stripe_charge_id: Mapped[str | None]
    decline_code: Mapped[str | None]
    client_secret: Mapped[bytes | None]
    description: Mapped[bytes | None]
    booking_metadata: Mapped[bytes]
    shopper_ip: Mapped[bytes]
    shopper_user_agent: Mapped[bytes]
    snapshot_at: Mapped[Instant | None]
    dirty: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(server_default="1")
    projected_version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded] = mapped_column(onupdate=text("clock_timestamp()"))
