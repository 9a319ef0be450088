"""`tollgate ledger`: balances by query at any time, what an id has moved, and a check that fails on any difference."""

from __future__ import annotations

import json

import pytest

from tests.builders.command_line import Run, runner
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from tests.builders.stripe_events import AMOUNT
from tests.integration.test_ledger_service import Known, booked, collect, given_back, hear_of_payout, tell

pytestmark = pytest.mark.servers


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=house.runtime.settings.database.url))
    return runner(capsys)


@pytest.fixture
def known(house: House) -> Known:
    """A payment over 49.50 that was paid five seconds after the start, with a fee, and a payout later."""
    known = Known(house)
    known.pay()
    collect(known, booked(fee=94))
    hear_of_payout(house, "payout.paid", 4000, 5)
    return known


@pytest.mark.usefixtures("known")
def test_balances_are_added_up_for_each_account_and_currency(run: Run) -> None:
    rows = json.loads(run("ledger", "balances", "--json").out)
    assert {row["account"]: row["balance"] for row in rows} == {
        "bank": 4000,
        "fees": 94,
        "sales": -AMOUNT,
        "stripe": AMOUNT - 94 - 4000,
    }
    shown = run("ledger", "balances", "--currency", "gbp").out
    assert "-49.50" in shown
    assert "40.00" in shown
    assert json.loads(run("ledger", "balances", "--currency", "eur", "--json").out) == []


@pytest.mark.usefixtures("known")
def test_balances_are_told_as_they_were_by_stripes_clock(run: Run) -> None:
    rows = json.loads(run("ledger", "balances", "--at", "2027-01-15T08:00:05Z", "--json").out)
    assert {row["account"] for row in rows} == {"bank", "stripe", "sales"}
    assert json.loads(run("ledger", "balances", "--at", "2027-01-15T07:59:59Z", "--json").out) == []


def test_an_id_of_ours_or_stripes_shows_what_it_moved(run: Run, known: Known) -> None:
    for name, found in (
        (known.id, ["capture", "fee"]),
        (known.pi_id, ["capture", "fee"]),
        (known.ch_id, ["capture"]),
        ("txn_1", ["fee"]),
        ("po_1", ["payout"]),
    ):
        assert [row["kind"] for row in json.loads(run("ledger", "show", name, "--json").out)] == found
    shown = run("ledger", "show", known.ch_id).out
    assert "49.50 gbp" in shown
    assert "-49.50 gbp" in shown


def test_an_id_that_moved_nothing_is_a_clear_error(run: Run) -> None:
    ended = run("ledger", "show", "ch_none")
    assert ended.code == 1
    assert "nothing is posted for 'ch_none'" in ended.err


def test_books_that_agree_are_said_to(run: Run, known: Known) -> None:
    refund = given_back(known)
    tell(known, refund, failed=False)
    ended = run("ledger", "check")
    assert (ended.code, ended.err) == (0, "the books agree\n")


def test_a_capture_that_is_not_what_was_received_fails_the_check(run: Run, known: Known) -> None:
    known.house.sql("UPDATE payments SET amount_received = 4951 WHERE id = :id", id=known.id)
    ended = run("ledger", "check", "--json")
    assert ended.code == 1
    assert json.loads(ended.out) == [
        {
            "what": "captured is not what was received",
            "subject": known.id,
            "currency": "gbp",
            "expected": AMOUNT + 1,
            "posted": AMOUNT,
        }
    ]


def test_a_refund_that_is_not_posted_fails_the_check_and_one_that_failed_does_not(run: Run, known: Known) -> None:
    refund = given_back(known)
    ended = run("ledger", "check")
    assert ended.code == 1
    assert refund in ended.out
    assert "1 difference(s)" in ended.err
    tell(known, refund, failed=True)
    known.house.sql("UPDATE refunds SET status = 'failed' WHERE id = :id", id=refund)
    assert run("ledger", "check").code == 0


def test_what_was_given_back_beyond_the_capture_fails_the_check(run: Run, known: Known) -> None:
    refund = given_back(known)
    known.house.sql("UPDATE refunds SET amount = :amount WHERE id = :id", amount=AMOUNT + 1, id=refund)
    tell(known, refund, failed=False)
    found = json.loads(run("ledger", "check", "--json").out)
    assert [each["what"] for each in found] == ["more is given back than was captured"]


def test_a_transaction_that_is_not_at_zero_fails_the_check(run: Run, known: Known) -> None:
    with known.house.runtime.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE ledger_entries DISABLE TRIGGER USER")
        connection.exec_driver_sql("UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'fees'")
        connection.exec_driver_sql("ALTER TABLE ledger_entries ENABLE TRIGGER USER")
    found = json.loads(run("ledger", "check", "--json").out)
    assert [(each["what"], each["subject"], each["posted"]) for each in found] == [
        ("a transaction is not at zero", known.id, 1)
    ]
