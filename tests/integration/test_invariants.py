"""Invariants: each violation that is planted is found and flagged, and cleared once it is mended."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
from collections.abc import Callable

import pytest
from sqlalchemy import TextClause, text

from config.retries import CREATE_PAYMENT_AGE
from config.schedules import INVARIANTS
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.steps import Step
from tests.builders.command_line import Run, runner
from tests.builders.house import CHECK, House
from tests.builders.payments import AMOUNT, plant_payment, plant_posting, plant_refund
from tests.builders.settings import complete_settings, put
from workers.jobs.follow_up import enqueue
from workers.jobs.run import Result, run_job
from workers.services import findings, invariants

pytestmark = pytest.mark.servers
Flags = set[tuple[str, str]]
LONG_AGO_S = CREATE_PAYMENT_AGE + 60
# The statements that let everything have happened so long ago.
AGED = tuple(
    f"UPDATE {table} SET {column} = clock_timestamp() - interval '{LONG_AGO_S} seconds'"  # noqa: S608 - constants
    for table, column in (
        ("history", "recorded_at"),
        ("payments", "created_at"),
        ("refunds", "created_at"),
        ("jobs", "expires_at"),
    )
)
AN_HOUR_AGO = (
    "UPDATE history SET recorded_at = recorded_at - interval '1 hour'",
    "UPDATE ledger_transactions SET recorded_at = recorded_at - interval '1 hour'",
)
MOVED_NOW = "UPDATE history SET recorded_at = clock_timestamp()"


def check(house: House, *, full: bool = True, since: str | None = None) -> Result:
    """Run a check and those that it leaves behind."""
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        job_id = enqueue(
            session,
            house.runtime.settings,
            CheckInvariants(since=since, full=full),
            client_id="tollgate",
            subject_id=INVARIANTS.name,
            slot=secrets.token_hex(8),
            request_id="",
        )
    result = run_job(house.runtime, job_id, CHECK)
    while left := house.sql("SELECT id FROM jobs WHERE kind = 'invariants.check' AND state = 'ready'"):
        for row in left:
            assert run_job(house.runtime, row["id"], CHECK).state == "done"
    return result


def flags(house: House) -> Flags:
    return {
        (row["kind"], row["subject_id"])
        for row in house.sql("SELECT kind, subject_id FROM flags WHERE cleared_at IS NULL")
    }


def unchecked(house: House, *statements: str) -> None:
    """Plant what the database itself refuses."""
    with house.runtime.engine.begin() as connection:
        for statement in ("SET LOCAL session_replication_role = replica", *statements):
            connection.execute(text(statement))


def test_what_is_as_it_must_be_raises_nothing(house: House) -> None:
    paid = plant_payment(house)
    plant_refund(house, paid, 1000)
    plant_refund(house, paid, AMOUNT - 1000, "pending")
    plant_refund(house, paid, AMOUNT, "failed")
    for status in ("processing", "checking", "requires_confirmation", "failed", "canceled"):
        plant_payment(house, status, booking_reference="B-1")
    assert check(house).state == "done"
    assert flags(house) == set()


def refunds_above_capture(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house)
    plant_refund(house, payment, AMOUNT)
    refund = plant_refund(house, payment, 1)

    def mend() -> None:
        house.sql("UPDATE refunds SET status = 'failed' WHERE id = :id", id=refund)
        house.sql(
            "INSERT INTO history (noun, subject_id, old, new, source)"
            " VALUES ('refund', :id, 'succeeded', 'failed', 'event')",
            id=refund,
        )

    return {("refunds_above_capture", payment)}, mend


def paid_twice(house: House) -> tuple[Flags, Callable[[], object]]:
    ids = [plant_payment(house, status, booking_reference="B-1") for status in ("paid", "disputed", "refunded")]
    house.sql("UPDATE payments SET disputed = TRUE WHERE id = :id", id=ids[1])
    house.sql("UPDATE payments SET amount_refunded = amount_received WHERE id = :id", id=ids[2])

    def mend() -> None:
        house.sql("UPDATE payments SET status = 'refunded', amount_refunded = amount WHERE id = :id", id=ids[0])
        house.sql(
            "INSERT INTO history (noun, subject_id, old, new, source)"
            " VALUES ('payment', :id, 'paid', 'refunded', 'event')",
            id=ids[0],
        )

    return {("duplicate_payment", each) for each in ids[:2]}, mend


def ledger_unbalanced(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house)
    unchecked(house, "UPDATE ledger_entries SET amount = amount + 1 WHERE account = 'stripe'")
    return {("ledger_unbalanced", payment)}, lambda: unchecked(
        house, "UPDATE ledger_entries SET amount = amount - 1 WHERE account = 'stripe'"
    )


def a_transaction_without_entries(house: House) -> tuple[Flags, Callable[[], object]]:
    unchecked(
        house,
        "INSERT INTO ledger_transactions (kind, stripe_id, currency, occurred_at)"
        " VALUES ('payout', 'po_1', 'gbp', clock_timestamp())",
    )
    return {("ledger_unbalanced", "po_1")}, lambda: unchecked(house, "DELETE FROM ledger_transactions")


def ledger_incomplete(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house)
    unchecked(house, "DELETE FROM ledger_entries", "DELETE FROM ledger_transactions")
    return {("ledger_incomplete", payment)}, lambda: plant_posting(house, payment, AMOUNT)


def status_astray(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house)
    house.sql("UPDATE payments SET stripe_status = 'requires_capture' WHERE id = :id", id=payment)
    return {("status_astray", payment)}, lambda: house.sql(
        "UPDATE payments SET stripe_status = 'succeeded' WHERE id = :id", id=payment
    )


def a_move_without_history(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house, "requires_confirmation")
    house.sql("UPDATE payments SET status = 'canceled' WHERE id = :id", id=payment)
    return {("history_incomplete", payment)}, lambda: house.sql(
        "INSERT INTO history (noun, subject_id, old, new, source)"
        " VALUES ('payment', :id, 'requires_confirmation', 'canceled', 'event')",
        id=payment,
    )


def a_gap_in_the_history_of_a_refund(house: House) -> tuple[Flags, Callable[[], object]]:
    refund = plant_refund(house, plant_payment(house), 1, "pending")
    house.sql("UPDATE refunds SET status = 'succeeded' WHERE id = :id", id=refund)
    house.sql(
        "INSERT INTO history (noun, subject_id, old, new, source)"
        " VALUES ('refund', :id, 'requires_action', 'succeeded', 'event')",
        id=refund,
    )
    return {("history_incomplete", refund)}, lambda: unchecked(
        house, "UPDATE history SET old = 'pending' WHERE old = 'requires_action'"
    )


def a_stuck_payment(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house, "checking", stripe_id=None)
    unchecked(house, *AGED)
    return {("stuck", payment)}, lambda: unchecked(house, MOVED_NOW)


def a_stuck_refund(house: House) -> tuple[Flags, Callable[[], object]]:
    refund = plant_refund(house, plant_payment(house), 1, "processing")
    unchecked(house, *AGED)
    return {("stuck", refund)}, lambda: unchecked(house, MOVED_NOW)


def a_stuck_job(house: House) -> tuple[Flags, Callable[[], object]]:
    payment = plant_payment(house, "requires_confirmation", state="ready")
    unchecked(house, *AGED)
    job = house.payment(payment)["job_id"]
    return {("stuck", job)}, lambda: house.force("UPDATE jobs SET state = 'dead' WHERE id = :id", id=job)


PLANTS = (
    refunds_above_capture,
    paid_twice,
    ledger_unbalanced,
    a_transaction_without_entries,
    ledger_incomplete,
    status_astray,
    a_move_without_history,
    a_gap_in_the_history_of_a_refund,
    a_stuck_payment,
    a_stuck_refund,
    a_stuck_job,
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_violation_is_flagged_once_and_cleared_when_it_is_mended(
    house: House, plant: Callable[[House], tuple[Flags, Callable[[], object]]]
) -> None:
    expected, mend = plant(house)
    check(house)
    raised = house.sql("SELECT id, raised_at, details FROM flags ORDER BY id")
    assert flags(house) == expected
    check(house)
    assert house.sql("SELECT id, raised_at, details FROM flags ORDER BY id") == raised
    mend()
    check(house)
    assert flags(house) == set()
    assert {row["cleared_by"] for row in house.sql("SELECT cleared_by FROM flags")} == {"check"}


def test_a_check_looks_at_what_has_changed_since_and_at_what_is_flagged(house: House) -> None:
    _, new = old_and_new = plant_payment(house), plant_payment(house)
    for payment in old_and_new:
        plant_refund(house, payment, AMOUNT + 1)
    unchecked(house, *AN_HOUR_AGO)
    house.sql(
        "INSERT INTO history (noun, subject_id, old, new, source) SELECT noun, subject_id, new, new, source"
        " FROM history WHERE subject_id = :id AND new = 'paid'",
        id=new,
    )
    since = house.one("SELECT (clock_timestamp() - interval '1 minute')::text AS moment")["moment"]
    check(house, full=False, since=since)
    assert flags(house) == {("refunds_above_capture", new)}
    unchecked(house, *AN_HOUR_AGO, "DELETE FROM refunds")
    check(house, full=False, since=since)
    assert flags(house) == set()  # it has not changed, but is flagged


def test_what_an_operator_put_aside_stays_so_until_it_becomes_another_finding(house: House) -> None:
    payment = plant_payment(house)
    plant_refund(house, payment, AMOUNT + 1)
    check(house)
    house.sql("UPDATE flags SET cleared_at = clock_timestamp(), cleared_by = 'operator'")
    check(house)
    assert flags(house) == set()
    plant_refund(house, payment, 1)
    check(house)
    assert flags(house) == {("refunds_above_capture", payment)}


def test_a_check_of_much_goes_on_in_jobs_of_its_own(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invariants, "CHUNK", 2)
    monkeypatch.setattr(invariants, "CHUNKS", 1)
    payments = [plant_payment(house) for _ in range(5)]
    for payment in payments:
        plant_refund(house, payment, AMOUNT + 1)
    check(house)
    assert len(house.jobs("invariants.check")) == 3
    assert flags(house) == {("refunds_above_capture", payment) for payment in payments}


def test_the_views_of_what_is_flagged_follow(house: House) -> None:
    payment = plant_payment(house, projected_version=1)
    plant_refund(house, payment, AMOUNT + 1)
    check(house)
    row = house.payment(payment)
    assert row["version"] == row["projected_version"] == 2


def test_how_many_were_found_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    payment = plant_payment(house)
    plant_refund(house, payment, AMOUNT + 1)
    with caplog.at_level(logging.INFO, "tollgate.invariants"):
        check(house)
    [line] = [record for record in caplog.records if record.name == "tollgate.invariants"]
    expected = {"refunds_above_capture": 1}
    assert (vars(line)["payments"], vars(line)["findings"], vars(line)["raised"]) == (1, expected, expected)


def scheduled(house: House, slots_ago: int, state: str) -> dt.datetime:
    """Let a slot of so long ago have been given out, and its job be in that state."""
    job_id = house.payment(plant_payment(house, state=state))["job_id"]
    slot: dt.datetime = house.one(
        "INSERT INTO schedules (name, slot, job_id)"
        " VALUES (:name, clock_timestamp() - make_interval(secs => :s), :job) RETURNING slot",
        name=INVARIANTS.name,
        s=slots_ago * INVARIANTS.period,
        job=job_id,
    )["slot"]
    return slot


def test_a_check_looks_back_to_the_last_one_that_was_done_and_a_little_further(house: House) -> None:
    with house.runtime.reading() as session:
        assert invariants.since_last(session) is None
    slot = scheduled(house, 3, "done")
    scheduled(house, 2, "dead")
    with house.runtime.reading() as session:
        assert invariants.since_last(session) == (slot - invariants.OVERLAP).isoformat()


def test_after_a_day_without_a_check_everything_is_looked_at(house: House) -> None:
    scheduled(house, 300, "done")
    with house.runtime.reading() as session:
        assert invariants.since_last(session) is None


def test_the_questions_are_answered_by_indexes(house: House) -> None:
    """On a million rows a walk over a whole table would take seconds; asked of five hundred, none may do so."""
    plant_payment(house)
    names = {
        name: statement
        for name, statement in {**vars(findings), **vars(invariants)}.items()
        if isinstance(statement, TextClause) and name not in {"_ALL", "_LAST", "_UP", "_UP_OTHERS", "_STILL_DOUBLE"}
    }
    ages = {"age": 1.0, "invoice_age": 1.0, "grace": 1.0}
    values = {"ids": ["pay_1"], "since": "2026-01-01", "after": "", "most": 500, **ages}
    assert len(names) >= 7
    with house.runtime.engine.begin() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for name, statement in names.items():
            given = {key: value for key, value in values.items() if key in statement.compile().params}
            plan = connection.execute(text("EXPLAIN " + statement.text), given).scalars().all()
            walks = [line for line in plan if "Seq Scan on" in line and "flags" not in line]
            assert walks == [], name


# The command


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=house.runtime.settings.database.url))
    return runner(capsys)


def test_the_command_checks_at_once_and_fails_if_something_is_found(house: House, run: Run) -> None:
    payment = plant_payment(house)
    assert run("invariants", "check").code == 0
    plant_refund(house, payment, AMOUNT + 1)
    dry = run("invariants", "check", "--full", "--dry-run")
    assert (dry.code, flags(house)) == (1, set())
    ran = run("invariants", "check", "--full", "--json")
    assert (ran.code, ran.json["payments"], ran.json["raised"]) == (1, 1, {"refunds_above_capture": 1})
    assert ran.json["findings"] == [
        {
            "kind": "refunds_above_capture",
            "subject": payment,
            "details": {"captured": AMOUNT, "refunds": AMOUNT + 1},
        }
    ]
    assert flags(house) == {("refunds_above_capture", payment)}
    house.sql("DELETE FROM refunds")
    assert "0 flag(s) raised, 1 cleared" in run("invariants", "check").err
