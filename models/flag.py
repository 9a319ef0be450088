"""Flags: what an operator should look at, raised once for each thing and kind."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Identity, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of

FLAGS = (
    "late_payment",  # money came after its seat hold had ended
    "duplicate_payment",  # a booking has more than one live payment
    "refunds_above_capture",
    "ledger_unbalanced",
    "ledger_incomplete",  # money came, and the ledger does not say so
    "status_astray",  # a payment's status is not what follows from its facts
    "history_incomplete",  # a status that no move on record has led to
    "stuck",  # on the way for longer than anything may be
    "fraud_warning",  # the card's bank says that it may be fraud
    "dispute_due",  # the bank waits for an answer, and not for long any more
    "refund_failed",  # the customer is owed the money again
    "invoice_astray",  # what Stripe shows of an invoice is not what was asked for: it goes no further
    "invoice_number_gap",  # numbers of invoices are missing in between
    "webhooks_missed",  # Stripe has events whose webhooks have not come
    "reconciliation_breaks",  # the daily reconciliation has found that Stripe and the books differ
    "endpoint_gone",  # a website answered 410: it hears nothing any more
)
CLEARERS = ("check", "operator")


class Flag(Base):
    """One finding about one thing; it stays when it is cleared.

    Columns of note:
        subject_id: a payment, refund, invoice, booking, job or endpoint, or the prefix of invoices' numbers.
        details: figures and ids; never personal data, and nothing that changes while the finding stays the same.
        cleared_at, cleared_by: when a check saw that it holds no more, or an operator put it aside.
    """

    __tablename__ = "flags"
    __table_args__ = (
        CheckConstraint(one_of("kind", FLAGS), name="kind"),
        CheckConstraint(
            "(cleared_at IS NULL) = (cleared_by IS NULL) AND (cleared_by IS NULL OR "
            + one_of("cleared_by", CLEARERS)
            + ")",
            name="cleared",
        ),
        UniqueConstraint("kind", "subject_id"),
        Index("ix_flags_open", "raised_at", "id", postgresql_where=text("cleared_at IS NULL")),
        Index("ix_flags_subject", "subject_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    subject_id: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    raised_at: Mapped[Recorded]
    cleared_at: Mapped[Instant | None]
    cleared_by: Mapped[str | None]
