"""Disputes: a card's holder has their bank take a payment back, or ask about it first.

See https://docs.stripe.com/disputes/how-disputes-work.
"""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Instant, Recorded, one_of
from models.states import Moves

# Of an inquiry, which moves no money and may become a chargeback at any time, and of a chargeback
# (https://docs.stripe.com/api/disputes/object#dispute_object-status).
INQUIRY = ("warning_needs_response", "warning_under_review")
CHARGEBACK = ("needs_response", "under_review")
NEEDS_RESPONSE = ("warning_needs_response", "needs_response")
UNDER_WAY = (*INQUIRY, *CHARGEBACK)
_ENDS = frozenset({"won", "lost"})
_OF_CHARGEBACK = _ENDS | {*CHARGEBACK}
DISPUTE_MOVES = Moves(
    "dispute",
    {
        "warning_needs_response": _OF_CHARGEBACK | {"warning_under_review", "warning_closed", "prevented"},
        "warning_under_review": _OF_CHARGEBACK | {"warning_needs_response", "warning_closed", "prevented"},
        # The holder may insist after all.
        "warning_closed": _OF_CHARGEBACK,
        # A bank may send a chargeback back for more.
        "needs_response": _ENDS | {"under_review", "prevented"},
        "under_review": _ENDS | {"needs_response", "prevented"},
        # What was decided may be taken further, by either side.
        "won": _OF_CHARGEBACK - {"won"},
        "lost": _OF_CHARGEBACK - {"lost"},
        "prevented": frozenset(),
    },
)
# Money is away, or gone for good: the payment is `disputed`, and not refunded.
STANDING = (*CHARGEBACK, "lost")
CLOSED = ("warning_closed", "won", "lost", "prevented")
CASE_TYPES = ("chargeback", "inquiry")


class Dispute(Base):
    """One dispute of one payment. Nothing in it is personal: what is sent to the bank is assembled when it is sent.

    Columns of note:
        amount: what is disputed, minor units; withdrawn, reinstated: what Stripe has taken for it and given back.
        reason, network_reason_code: Stripe's, and the card network's.
        due_at: until when the bank takes an answer.
        has_evidence: whether any is on it at Stripe, submitted or not; submissions: how often it was submitted.
        past_due: evidence came too late for the bank.
        is_charge_refundable: whether Stripe would give the payment back still.
        snapshot_at: how new what we know of it is, by Stripe's clock.
        version: grows with every change.
    """

    __tablename__ = "disputes"
    __table_args__ = (
        CheckConstraint(one_of("status", DISPUTE_MOVES.states), name="status"),
        CheckConstraint(one_of("case_type", CASE_TYPES), name="case_type"),
        CheckConstraint("amount >= 0 AND withdrawn >= 0 AND reinstated >= 0", name="amounts"),
        Index("ix_disputes_payment", "payment_id", "created_at", "id"),
        Index("ix_disputes_under_way", "due_at", postgresql_where=text(one_of("status", UNDER_WAY))),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("clients.id"))
    payment_id: Mapped[str] = mapped_column(ForeignKey("payments.id"))
    stripe_id: Mapped[str] = mapped_column(unique=True)
    stripe_charge_id: Mapped[str | None]
    case_type: Mapped[str]
    status: Mapped[str]
    reason: Mapped[str]
    network_reason_code: Mapped[str | None]
    amount: Mapped[int] = mapped_column(BigInteger)
    withdrawn: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reinstated: Mapped[int] = mapped_column(BigInteger, server_default="0")
    currency: Mapped[str]
    due_at: Mapped[Instant | None]
    has_evidence: Mapped[bool] = mapped_column(server_default="false")
    submissions: Mapped[int] = mapped_column(server_default="0")
    past_due: Mapped[bool] = mapped_column(server_default="false")
    is_charge_refundable: Mapped[bool] = mapped_column(server_default="false")
    opened_at: Mapped[Instant]
    snapshot_at: Mapped[Instant]
    version: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[Recorded]
    updated_at: Mapped[Recorded] = mapped_column(onupdate=text("clock_timestamp()"))
