"""Payouts: what Stripe pays out of the balance to the bank (https://docs.stripe.com/api/payouts)."""

from typing import Any, Final

from sandbox.simulator import balance_transactions
from sandbox.simulator.account import JsonObject
from sandbox.simulator.balance_transactions import payout_of
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, choice
from sandbox.simulator.state import Change

STATUSES: Final = ("canceled", "failed", "in_transit", "paid", "pending")
LIST: Final[Spec] = LIST_PARAMS | {"status": Param(choice(*STATUSES))}
BANK_ACCOUNT: Final = "ba_1SimulatedBankAccount01"
CLOSED: Final = "account_closed"
CLOSED_WORDS: Final = "The bank account has been closed."


def pay_out(change: Change, currency: str) -> JsonObject:
    """Pay out all of the balance in a currency, whether it has settled or not; the bank has it at once.

    Raises:
        ApiError: there is nothing to pay out.
    """
    booked = change.state.oldest("balance_transactions")
    parts = [each for each in booked if each["currency"] == currency and payout_of(change.state, each["id"]) is None]
    amount = sum(each["net"] for each in parts)
    if amount <= 0:
        raise invalid(f"You have insufficient funds in your Stripe account for a payout in {currency}.")
    payout = _new(change, amount, currency)
    moved = balance_transactions.for_payout(change, payout)
    payout["balance_transaction"] = moved["id"]
    for part in (*parts, moved):
        change.put("payout_parts", {"id": part["id"], "payout": payout["id"]})
    change.create("payouts", payout)
    emit(change, "payout.created", payout)
    paid = change.put("payouts", payout | {"status": "paid"})
    emit(change, "payout.paid", paid, payout)
    return paid


def fail(change: Change, name: str) -> JsonObject:
    """Let the bank send a payout back, days after it was shown as paid.

    Raises:
        ApiError: there is none, or it failed already.
    """
    payout = retrieve(change, name)
    if payout["status"] == "failed":
        raise invalid("This payout has already failed.")
    back = balance_transactions.for_failed_payout(change, payout)
    after = payout | {
        "failure_balance_transaction": back["id"],
        "failure_code": CLOSED,
        "failure_message": CLOSED_WORDS,
        "status": "failed",
    }
    change.put("payouts", after)
    emit(change, "payout.failed", after, payout)
    return after


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one payout.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("payouts", name)
    if known is None:
        raise missing_resource("payout", name, param="id", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List payouts, the newest first."""

    def matches(payout: JsonObject) -> bool:
        return "status" not in values or payout["status"] == values["status"]

    return page(change.state, "payouts", values, matches, url="/v1/payouts", noun="payout")


def _new(change: Change, amount: int, currency: str) -> JsonObject:
    now = change.clock.now()
    return {
        "id": change.identifiers.new("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": now,
        "automatic": True,
        "balance_transaction": None,
        "created": now,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": BANK_ACCOUNT,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "completed",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "in_transit",
        "trace_id": None,
        "type": "bank_account",
    }
