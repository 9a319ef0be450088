"""What Stripe tells of the account's balance: balance transactions, and the objects that are known by theirs.

As in `workers.gateways.snapshots`, unknown fields are ignored, and what is read must be there and of its type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from config.errors import ContractError
from workers.gateways.fields import flag, id_of, instant, require, text, whole

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
    """A dispute (https://docs.stripe.com/api/disputes/object): up to two movements, withdrawn and reinstated."""

    id: str
    amount: int
    currency: str
    charge_id: str | None
    balances: Sequence[BalanceTransactionSnapshot]


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
    return DisputeSnapshot(
        id=text(fields, "id"),
        amount=whole(fields, "amount"),
        currency=text(fields, "currency"),
        charge_id=id_of(fields, "charge"),
        balances=tuple(balance_transaction_snapshot(each) for each in balances),
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
