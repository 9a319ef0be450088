"""The ledger: double entry and append-only. Each transaction adds up to zero in its one currency.

A debit is positive, a credit negative; an account's balance is the sum of its entries.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of

# What moved money, each at most once for one object of Stripe's.
LEDGER_KINDS = (
    "capture",
    "fee",
    "refund",
    "refund_failed",
    "dispute",
    "dispute_reinstated",
    "dispute_fee",
    "payout",
    "payout_failed",
)
# stripe: what Stripe holds for us; bank: what it has paid out; sales, refunds, fees, disputes: what it was for.
ACCOUNTS = ("stripe", "bank", "sales", "refunds", "fees", "disputes")


class LedgerTransaction(Base):
    """One movement of money, named by the object of Stripe's that it belongs to.

    Columns of note:
        stripe_id: the charge, refund, balance transaction, dispute or payout.
        payment_id: of whom it tells; None for payouts and what is not ours.
        occurred_at: when, by Stripe's clock (UTC).
        evidence: the event or request that brought it first.
        made_in: the database transaction that made it; no later one adds a line.
    """

    __tablename__ = "ledger_transactions"
    __table_args__ = (
        CheckConstraint(one_of("kind", LEDGER_KINDS), name="kind"),
        UniqueConstraint("kind", "stripe_id"),
        UniqueConstraint("id", "currency"),
        Index("ix_ledger_transactions_stripe_id", "stripe_id"),
        Index("ix_ledger_transactions_occurred", "occurred_at", "id"),
        Index("ix_ledger_transactions_recorded", "recorded_at", postgresql_using="brin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str]
    stripe_id: Mapped[str]
    payment_id: Mapped[str | None] = mapped_column(ForeignKey("payments.id"), index=True)
    currency: Mapped[str]
    occurred_at: Mapped[Instant]
    evidence: Mapped[str | None]
    recorded_at: Mapped[Recorded]
    made_in: Mapped[int] = mapped_column(BigInteger, server_default=text("txid_current()"))


class LedgerEntry(Base):
    """One line of a transaction: so much to (above zero) or from (below zero) an account, in minor units."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        ForeignKeyConstraint(
            ["transaction_id", "currency"], ["ledger_transactions.id", "ledger_transactions.currency"]
        ),
        CheckConstraint(one_of("account", ACCOUNTS), name="account"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_ledger_entries_account", "account", "currency"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    transaction_id: Mapped[int] = mapped_column(BigInteger, index=True)
    account: Mapped[str]
    currency: Mapped[str]
    amount: Mapped[int] = mapped_column(BigInteger)
