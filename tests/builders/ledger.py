"""The ledger as tests read it."""

from __future__ import annotations

from typing import Any

from tests.builders.house import House

Line = tuple[str, int]


def transactions(house: House, stripe_id: str | None = None) -> list[dict[str, Any]]:
    """Return all transactions, or those of one object of Stripe's, each with its `lines` as (account, amount)."""
    rows = house.sql("SELECT * FROM ledger_transactions ORDER BY id")
    lines = house.sql("SELECT * FROM ledger_entries ORDER BY id")
    return [
        {
            **row,
            "lines": [(line["account"], line["amount"]) for line in lines if line["transaction_id"] == row["id"]],
        }
        for row in rows
        if stripe_id is None or row["stripe_id"] == stripe_id
    ]


def kinds(house: House) -> list[tuple[str, str]]:
    """Return (kind, Stripe's id) of every transaction, in the order in which they were written."""
    return [(row["kind"], row["stripe_id"]) for row in transactions(house)]


def balances(house: House) -> dict[tuple[str, str], int]:
    """Return each account's balance in each currency."""
    rows = house.sql("SELECT account, currency, sum(amount) AS total FROM ledger_entries GROUP BY account, currency")
    return {(row["account"], row["currency"]): int(row["total"]) for row in rows}
