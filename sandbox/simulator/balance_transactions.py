"""Balance transactions: what each movement does to the account's balance.

https://docs.stripe.com/api/balance_transactions
"""

from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, missing_resource
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.money import currency, fee
from sandbox.simulator.params import Param, Spec, identifier
from sandbox.simulator.state import Change, State

LIST: Final[Spec] = LIST_PARAMS | {
    "currency": Param(currency),
    "payout": Param(identifier),
    "source": Param(identifier),
    "type": Param(identifier),
}

WORDS: Final = {
    "refund": "REFUND FOR CHARGE",
    "refund_failure": "REFUND FAILURE FOR CHARGE",
    "dispute": "Chargeback withdrawal for",
    "dispute_reversal": "Chargeback reversal for",
}
# Of these the type is not the reporting category: https://docs.stripe.com/reports/balance-transaction-types
TYPES: Final = {"dispute": "adjustment", "dispute_reversal": "adjustment", "payout_reversal": "payout_failure"}
DISPUTE_FEE: Final = 2000  # £20, what Stripe asks in the UK; nothing is known of other currencies here
SETTLEMENT_SECONDS: Final = 3 * 24 * 60 * 60  # a UK account's money is available after three days


def for_charge(change: Change, charge: JsonObject) -> JsonObject:
    """Book a captured charge, less Stripe's fee."""
    amount = charge["amount_captured"]
    return _book(change, charge, amount, fee(amount), kind="charge")


def for_refund(change: Change, refund: JsonObject) -> JsonObject:
    """Book a refund; Stripe keeps the fee of the charge."""
    return _book(change, refund, -refund["amount"], 0, kind="refund")


def for_failed_refund(change: Change, refund: JsonObject) -> JsonObject:
    """Book that a refund came back."""
    return _book(change, refund, refund["amount"], 0, kind="refund_failure")


def for_dispute(change: Change, dispute: JsonObject) -> JsonObject:
    """Book what a dispute withdraws, and Stripe's fee for it."""
    return _book(change, dispute, -dispute["amount"], DISPUTE_FEE, kind="dispute")


def for_won_dispute(change: Change, dispute: JsonObject) -> JsonObject:
    """Book that a dispute was won; Stripe keeps its fee."""
    return _book(change, dispute, dispute["amount"], 0, kind="dispute_reversal")


def for_payout(change: Change, payout: JsonObject) -> JsonObject:
    """Book what goes to the bank."""
    return _book(change, payout, -payout["amount"], 0, kind="payout")


def for_failed_payout(change: Change, payout: JsonObject) -> JsonObject:
    """Book what the bank sent back."""
    return _book(change, payout, payout["amount"], 0, kind="payout_reversal")


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one balance transaction.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("balance_transactions", name)
    if known is None:
        raise missing_resource("balance transaction", name, param="id", status=NOT_FOUND)
    return _shown(change, known)


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List balance transactions, the newest first, by currency, type, source, and the payout that they are part of."""
    same = {name: values[name] for name in ("currency", "source", "type") if name in values}
    payout = values.get("payout")

    def matches(transaction: JsonObject) -> bool:
        if any(transaction[name] != wanted for name, wanted in same.items()):
            return False
        return payout is None or payout_of(change.state, transaction["id"]) == payout

    listed = page(
        change.state,
        "balance_transactions",
        values,
        matches,
        url="/v1/balance_transactions",
        noun="balance transaction",
    )
    return {**listed, "data": [_shown(change, each) for each in listed["data"]]}


def payout_of(state: State, transaction: str) -> str | None:
    """Return the payout that a balance transaction is part of, or None."""
    part = state.get("payout_parts", transaction)
    return None if part is None else str(part["payout"])


def _shown(change: Change, transaction: JsonObject) -> JsonObject:
    """Return a balance transaction as it reads now: it becomes available with time."""
    is_there = change.clock.now() >= transaction["available_on"]
    return {**transaction, "status": "available" if is_there else "pending"}


def _book(change: Change, source: JsonObject, amount: int, fee_amount: int, *, kind: str) -> JsonObject:
    now = change.clock.now()
    details = {
        "amount": fee_amount,
        "application": None,
        "currency": source["currency"],
        "description": "Stripe processing fees",
        "type": "stripe_fee",
    }
    return change.create(
        "balance_transactions",
        {
            "id": change.identifiers.new("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": now + SETTLEMENT_SECONDS,
            "balance_type": "payments",
            "created": now,
            "currency": source["currency"],
            "description": f"{WORDS[kind]} {source['charge']}" if kind in WORDS else source["description"],
            "exchange_rate": None,
            "fee": fee_amount,
            "fee_details": [details] if fee_amount else [],
            "net": amount - fee_amount,
            "reporting_category": kind,
            "source": source["id"],
            "status": "pending",
            "type": TYPES.get(kind, kind),
        },
    )
