"""The ledger's tables: the database itself refuses what is not double entry, and whatever would change the past."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import IntegrityError, InternalError
from sqlalchemy.pool import NullPool

from models.database import psycopg_url

pytestmark = pytest.mark.servers


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def transaction(connection: Connection, kind: str = "capture", stripe_id: str = "ch_1", currency: str = "gbp") -> int:
    made: Any = connection.scalar(
        text(
            "INSERT INTO ledger_transactions (kind, stripe_id, currency, occurred_at)"
            " VALUES (:kind, :stripe_id, :currency, now()) RETURNING id"
        ),
        {"kind": kind, "stripe_id": stripe_id, "currency": currency},
    )
    return int(made)


def entry(connection: Connection, of: int, account: str, amount: int, currency: str = "gbp") -> None:
    connection.execute(
        text(
            "INSERT INTO ledger_entries (transaction_id, account, currency, amount)"
            " VALUES (:of, :account, :currency, :amount)"
        ),
        {"of": of, "account": account, "amount": amount, "currency": currency},
    )


@pytest.fixture
def captured(connection: Connection) -> int:
    made = transaction(connection)
    entry(connection, made, "stripe", 500)
    entry(connection, made, "sales", -500)
    connection.commit()
    return made


def test_a_transaction_that_adds_up_to_zero_is_taken(connection: Connection, captured: int) -> None:
    found = connection.execute(text("SELECT amount FROM ledger_entries WHERE transaction_id = :id"), {"id": captured})
    assert sorted(found.scalars()) == [-500, 500]


def test_one_that_does_not_add_up_to_zero_is_refused_at_the_commit(connection: Connection) -> None:
    made = transaction(connection)
    entry(connection, made, "stripe", 500)
    entry(connection, made, "sales", -499)
    with pytest.raises(IntegrityError, match="adds up to 1"):
        connection.commit()


def test_one_without_entries_is_refused_at_the_commit(connection: Connection) -> None:
    transaction(connection)
    with pytest.raises(IntegrityError, match="adds up to nothing"):
        connection.commit()


def test_an_entry_in_another_currency_is_refused(connection: Connection) -> None:
    made = transaction(connection)
    entry(connection, made, "stripe", 500)
    with pytest.raises(IntegrityError, match="transaction_id_currency"):
        entry(connection, made, "sales", -500, currency="eur")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET amount = -amount",
        "UPDATE ledger_transactions SET occurred_at = now()",
        "DELETE FROM ledger_entries",
        "DELETE FROM ledger_transactions",
        "TRUNCATE ledger_entries",
        "TRUNCATE ledger_transactions CASCADE",
    ],
)
@pytest.mark.usefixtures("captured")
def test_what_is_written_is_neither_altered_nor_deleted(connection: Connection, statement: str) -> None:
    with pytest.raises(InternalError, match="append-only"):
        connection.execute(text(statement))


def test_a_line_more_is_refused_even_if_another_balances_it(connection: Connection, captured: int) -> None:
    entry(connection, captured, "fees", 7)
    entry(connection, captured, "stripe", -7)
    with pytest.raises(IntegrityError, match="is closed"):
        connection.commit()


def test_a_transaction_may_be_made_within_a_savepoint(connection: Connection) -> None:
    connection.execute(text("SELECT 1"))
    with connection.begin_nested():
        made = transaction(connection)
        entry(connection, made, "stripe", 500)
    entry(connection, made, "sales", -500)
    connection.commit()


@pytest.mark.usefixtures("captured")
def test_the_same_movement_is_not_written_twice(connection: Connection) -> None:
    with pytest.raises(IntegrityError, match="kind_stripe_id"):
        transaction(connection)


def test_one_object_of_stripes_may_move_money_in_several_ways(connection: Connection, captured: int) -> None:
    failed = transaction(connection, "refund_failed")
    entry(connection, failed, "stripe", 5)
    entry(connection, failed, "refunds", -5)
    connection.commit()
    assert failed != captured


@pytest.mark.parametrize(("column", "odd"), [("kind", "gift"), ("account", "pocket")])
def test_unknown_kinds_and_accounts_are_refused(connection: Connection, column: str, odd: str) -> None:
    with pytest.raises(IntegrityError, match=f"_{column}"):
        entry(connection, transaction(connection, **({"kind": odd} if column == "kind" else {})), odd, 5)


def test_an_entry_over_nothing_is_refused(connection: Connection) -> None:
    made = transaction(connection)
    with pytest.raises(IntegrityError, match="amount"):
        entry(connection, made, "stripe", 0)
