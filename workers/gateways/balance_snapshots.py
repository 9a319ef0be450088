"""What Stripe tells of the account's balance: balance transactions, and the objects that are known by theirs.

As in `workers.gateways.snapshots`, unknown fields are ignored, and what is read must be there and of its type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from config.errors import ContractError
from workers.gateways.fields import flag, id_of, instant, mapping, require, text, text_or_none, whole

CAME_TO_NOTHING: Final = frozenset({"failed", "canceled"})  # of charges and refunds: no balance transaction follows


@dataclass(frozen=True, slots=True)
class BalanceTransactionSnapshot:
    """One movement of the account's balance (https://docs.stripe.com/api/balance_transactions/object).

    Args:
        amount: above zero it came in; minor units, without regard to the fee.
        fee: what Stripe keeps of it, minor units.
        currency: the account's, which need not be that of the charge.
        created: when the balance moved.
    """

    id: str
    amount: int
    fee: int
    currency: str
    created: datetime


@dataclass(frozen=True, slots=True)
class Booking:
    """The balance transaction of a charge or refund; if there is none, whether one may still come.

    A charge that is captured asynchronously has none at first
    (https://docs.stripe.com/payments/payment-intents/asynchronous-capture).
    """

    balance: BalanceTransactionSnapshot | None
    may_come: bool


@dataclass(frozen=True, slots=True)
class DisputeSnapshot:
    """A dispute (https://docs.stripe.com/api/disputes/object): up to two movements, withdrawn and reinstated.

    Args:
        amount: what is disputed, minor units.
        case_type: Stripe's; None if it does not say.
        due_at: until when the bank takes an answer, if it takes one.
        has_evidence: whether any is on it, submitted or not; submissions: how often it was submitted.
        past_due: evidence came too late.
        is_charge_refundable: whether Stripe would give the payment back.
    """

    id: str
    amount: int
    currency: str
    charge_id: str | None
    balances: Sequence[BalanceTransactionSnapshot]
    status: str
    reason: str
    created: datetime
    payment_intent_id: str | None = None
    case_type: str | None = None
    network_reason_code: str | None = None
    due_at: datetime | None = None
    has_evidence: bool = False
    submissions: int = 0
    past_due: bool = False
    is_charge_refundable: bool = False


@dataclass(frozen=True, slots=True)
class PayoutSnapshot:
    """A payout to the bank (https://docs.stripe.com/api/payouts/object); below zero the bank pays.

    Args:
        automatic: whether Stripe chose what it pays out, and so can list that.
    """

    id: str
    amount: int
    currency: str
    status: str
    created: datetime
    automatic: bool = False


def balance_transaction_snapshot(fields: Mapping[str, Any]) -> BalanceTransactionSnapshot:
    """Read a balance transaction; raises ContractError if the fields are not those of one."""
    require(fields, "balance_transaction")
    return BalanceTransactionSnapshot(
        id=text(fields, "id"),
        amount=whole(fields, "amount"),
        fee=whole(fields, "fee"),
        currency=text(fields, "currency"),
        created=instant(fields, "created"),
    )


def booking(fields: Mapping[str, Any]) -> Booking:
    """Read the balance transaction, expanded, of a charge or refund; raises ContractError if it is neither."""
    status, balance = text(fields, "status"), fields.get("balance_transaction")
    if balance is None:
        return Booking(None, may_come=status not in CAME_TO_NOTHING)
    return Booking(balance_transaction_snapshot(balance), may_come=False)


def dispute_snapshot(fields: Mapping[str, Any]) -> DisputeSnapshot:
    """Read a dispute; raises ContractError if the fields are not those of one."""
    require(fields, "dispute")
    balances = fields.get("balance_transactions") or []
    if not isinstance(balances, list):
        raise ContractError("Stripe's dispute has no list of balance transactions")
    details, card = mapping(fields, "evidence_details"), mapping(mapping(fields, "payment_method_details"), "card")
    return DisputeSnapshot(
        id=text(fields, "id"),
        amount=whole(fields, "amount"),
        currency=text(fields, "currency"),
        charge_id=id_of(fields, "charge"),
        balances=tuple(balance_transaction_snapshot(each) for each in balances),
        status=text(fields, "status"),
        reason=text_or_none(fields, "reason") or "general",
        created=instant(fields, "created"),
        payment_intent_id=id_of(fields, "payment_intent"),
        case_type=text_or_none(card, "case_type"),
        network_reason_code=text_or_none(card, "network_reason_code"),
        due_at=instant(details, "due_by") if details.get("due_by") else None,  # Stripe writes 0 for none
        has_evidence=flag(details, "has_evidence"),
        submissions=whole(details, "submission_count", 0),
        past_due=flag(details, "past_due"),
        is_charge_refundable=flag(fields, "is_charge_refundable"),
    )


def payout_snapshot(fields: Mapping[str, Any]) -> PayoutSnapshot:
    """Read a payout; raises ContractError if the fields are not those of one."""
    require(fields, "payout")
    return PayoutSnapshot(
        id=text(fields, "id"),
        amount=whole(fields, "amount"),
        currency=text(fields, "currency"),
        status=text(fields, "status"),
        created=instant(fields, "created"),
        automatic=flag(fields, "automatic"),
    )
