"""Balance transactions: what a charge or refund does to the account's balance."""

from typing import Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, missing_resource
from sandbox.simulator.money import fee
from sandbox.simulator.state import Change

WORDS: Final = {"refund": "REFUND FOR CHARGE", "refund_failure": "REFUND FAILURE FOR CHARGE"}
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


def retrieve(change: Change, identifier: str) -> JsonObject:
    """Return one balance transaction.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("balance_transactions", identifier)
    if known is None:
        raise missing_resource("balance transaction", identifier, param="id", status=NOT_FOUND)
    return known


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
            "description": source["description"] if kind == "charge" else f"{WORDS[kind]} {source['charge']}",
            "exchange_rate": None,
            "fee": fee_amount,
            "fee_details": [details] if fee_amount else [],
            "net": amount - fee_amount,
            "reporting_category": kind,
            "source": source["id"],
            "status": "pending",
            "type": kind,
        },
    )
