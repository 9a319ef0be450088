"""Invoices: asked for by the website, made, numbered and sent by Stripe, paid by card, by bank or on the site."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of
from models.states import Moves

# What is owed may become anything that Stripe's invoices become, in whatever order it is heard of; what is paid or void
# stays so (https://docs.stripe.com/invoicing/overview#invoice-statuses).
OWED = ("open", "sent", "overdue")
_AFTER_DRAFT = frozenset({*OWED, "paid", "void", "uncollectible"})
AT_STRIPE = _AFTER_DRAFT | {"draft"}
INVOICE_MOVES = Moves(
    "invoice",
    {
        "processing": AT_STRIPE | {"checking", "refused"},
        "checking": AT_STRIPE | {"processing", "refused"},
        # Its job ended early; a replay goes on with it.
        "draft": AT_STRIPE | {"processing", "checking"},
        "open": _AFTER_DRAFT,
        "sent": _AFTER_DRAFT,
        "overdue": _AFTER_DRAFT,
        "uncollectible": frozenset({"paid", "void"}),
        "paid": frozenset(),
        "void": frozenset(),
        # Proof that nothing was made; a replay of its dead job may yet make it.
        "refused": AT_STRIPE | {"processing", "checking"},
    },
)
ON_THE_WAY = ("processing", "checking")  # not for longer than its job may take
CAME_TO_NOTHING = ("refused", "void")
# How far the making of an invoice has come, a step after the other: each is known to be done when the next is begun.
REACHED = ("accepted", "drafted", "lined", "finalized", "delivered")


class Invoice(Base):
    """One invoice. Everything personal is sealed and bound to this row; so are the addresses that show it to anybody.

    Columns of note:
        subtotal, tax_amount, total: as we have worked them out, in minor units; amount_paid: as Stripe tells.
        purchase_order, memo, footer, booking_metadata: sealed, as asked for.
        sends, stays_draft: whether Stripe is to mail it; whether it is to stay a draft.
        asked_payment_id: the payment on the site that it is to be issued as paid by; payment_id: the one that paid it.
        reached: how far it has come.
        stripe_status: `draft`, `open`, `paid`, `void` or `uncollectible`.
        number: Stripe's, given when it is finalized.
        due_at: until when it is paid in time, by Stripe; overdue_at: when that was found to be over.
        sent_at: when Stripe first mailed it; reminded_days: the last day after it was due on which it was mailed again.
        paid_out_of_band: paid past Stripe, by bank transfer for instance.
        snapshot_at: how new what we know of it is, by Stripe's clock.
        dirty: what was heard last is ambiguous; a fetch is under way.
        version: grows with every change that the view shows.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        CheckConstraint(one_of("status", INVOICE_MOVES.states), name="status"),
        CheckConstraint(one_of("reached", REACHED), name="reached"),
        CheckConstraint(
            "total > 0 AND subtotal >= 0 AND tax_amount >= 0 AND subtotal + tax_amount = total", name="total"
        ),
        CheckConstraint("amount_paid >= 0", name="paid"),
        Index("ix_invoices_booking", "client_id", "booking_reference", "created_at", "id"),
        Index("ix_invoices_customer", "customer_id", "created_at", "id"),
        # A payment is invoiced once.
        Index(
            "ix_invoices_asked_payment",
            "asked_payment_id",
            unique=True,
            postgresql_where=text("asked_payment_id IS NOT NULL AND NOT (" + one_of("status", CAME_TO_NOTHING) + ")"),
        ),
        Index("ix_invoices_owed", "due_at", postgresql_where=text(one_of("status", OWED))),
        Index("ix_invoices_on_the_way", "created_at", postgresql_where=text(one_of("status", ON_THE_WAY))),
        Index("ix_invoices_unprojected", "id", postgresql_where=text("version > projected_version")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    booking_reference: Mapped[str | None]
    currency: Mapped[str]
    tax_inclusive: Mapped[bool]
    subtotal: Mapped[int] = mapped_column(BigInteger)
    tax_amount: Mapped[int] = mapped_column(BigInteger)
    total: Mapped[int] = mapped_column(BigInteger)
    amount_paid: Mapped[int] = mapped_column(BigInteger, server_default="0")
    status: Mapped[str]
    purchase_order: Mapped[bytes | None]
    memo: Mapped[bytes | None]
    footer: Mapped[bytes | None]
    booking_metadata: Mapped[bytes]
    sends: Mapped[bool]
    stays_draft: Mapped[bool]
    # Bare names: payments refer to invoices as well, and rows of a restored database come in any order.
    asked_payment_id: Mapped[str | None]
    payment_id: Mapped[str | None] = mapped_column(index=True)
    reached: Mapped[str] = mapped_column(server_default="accepted")
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    stripe_status: Mapped[str | None]
    number: Mapped[str | None] = mapped_column(index=True)
    hosted_url: Mapped[bytes | None]
    pdf_url: Mapped[bytes | None]
    due_at: Mapped[Instant | None]
    sent_at: Mapped[Instant | None]
    overdue_at: Mapped[Instant | None]
    reminded_days: Mapped[int] = mapped_column(server_default="0")
    paid_at: Mapped[Instant | None]
    paid_out_of_band: Mapped[bool] = mapped_column(server_default="false")
    snapshot_at: Mapped[Instant | None]
    dirty: Mapped[bool] = mapped_column(server_default="false")
    version: Mapped[int] = mapped_column(server_default="1")
    projected_version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded] = mapped_column(onupdate=text("clock_timestamp()"))
