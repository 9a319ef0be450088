"""What Stripe tells of the balance is read whole, and refused where it is not as documented."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from config.errors import ContractError
from tests.builders.stripe_events import START, balance_transaction, dispute, payout
from workers.gateways.balance_snapshots import (
    BalanceTransactionSnapshot,
    balance_transaction_snapshot,
    booking,
    dispute_snapshot,
    payout_snapshot,
)

BALANCE = balance_transaction("txn_1", 4950, fee=94, at=6)
READ = BalanceTransactionSnapshot("txn_1", 4950, 94, "gbp", dt.datetime.fromtimestamp(START + 6, dt.UTC))


def test_a_balance_transaction_is_read_with_its_fee() -> None:
    assert balance_transaction_snapshot(BALANCE) == READ


@pytest.mark.parametrize(
    ("fields", "balance", "may_come"),
    [
        ({"status": "succeeded", "balance_transaction": BALANCE}, READ, False),
        ({"status": "succeeded", "balance_transaction": None}, None, True),
        ({"status": "pending"}, None, True),
        ({"status": "failed", "balance_transaction": None}, None, False),
        ({"status": "canceled"}, None, False),
    ],
)
def test_a_booking_tells_whether_a_balance_transaction_may_still_come(
    fields: dict[str, Any], balance: BalanceTransactionSnapshot | None, *, may_come: bool
) -> None:
    assert (booking(fields).balance, booking(fields).may_come) == (balance, may_come)


def test_a_dispute_tells_of_all_its_movements() -> None:
    read = dispute_snapshot(dispute("pi_1", BALANCE))
    assert (read.id, read.currency, list(read.balances)) == ("dp_pi_1", "gbp", [READ])


@pytest.mark.parametrize("details", [{"due_by": 0}, {"due_by": None}, {}], ids=["0", "nothing", "not there"])
def test_a_dispute_whose_bank_takes_no_answer_is_never_due(details: dict[str, Any]) -> None:
    """Stripe writes 0 there (https://docs.stripe.com/api/disputes/object)."""
    assert dispute_snapshot(dispute("pi_1", evidence_details=details)).due_at is None


def test_a_payout_is_read() -> None:
    read = payout_snapshot(payout("po_1", 7000, "paid"))
    assert (read.id, read.amount, read.currency, read.status) == ("po_1", 7000, "gbp", "paid")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "succeeded", "balance_transaction": "txn_1"},
        {"status": "succeeded", "balance_transaction": {**BALANCE, "fee": "94"}},
        {"status": None},
    ],
    ids=["not expanded", "a fee in words", "no status"],
)
def test_what_is_not_as_documented_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ContractError):
        booking(fields)


def test_movements_of_a_dispute_that_are_no_list_are_refused() -> None:
    with pytest.raises(ContractError, match="no list"):
        dispute_snapshot({**dispute("pi_1"), "balance_transactions": {"data": []}})
