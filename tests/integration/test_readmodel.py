"""`tollgate readmodel rebuild`: all views and lists anew, never older over newer, and onwards from where it stopped."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from config.keyring import encode_keyring
from ops import readmodel
from tasks.contracts.shows import ShowViews
from tests.builders.command_line import Run, runner
from tests.builders.house import House
from tests.builders.ingress import MACS, PRIVATE, VIEWS
from tests.builders.settings import complete_settings, put
from tests.builders.worker import DERIVATION_KEY, ENCRYPTION
from tests.integration.test_lists import asked, entries, made, of_booking
from workers.projections import rebuild

pytestmark = pytest.mark.servers
NO_INVOICES = {"invoices": 0, "invoice_batches": 0}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    settings = house.runtime.settings
    put(
        monkeypatch,
        complete_settings(
            TOLLGATE_DATABASE_URL=settings.database.url,
            TOLLGATE_REDIS_URL=settings.redis.url,
            TOLLGATE_REDIS_PREFIX=settings.redis.keyspace.prefix,
            TOLLGATE_JOURNAL_MAC_KEYS=encode_keyring(MACS.keys),
            TOLLGATE_JOURNAL_PRIVATE_KEYS=encode_keyring(PRIVATE.keys),
            TOLLGATE_VIEW_KEYS=encode_keyring(VIEWS.keys),
            TOLLGATE_ENCRYPTION_KEYS=encode_keyring(ENCRYPTION.keys),
            TOLLGATE_DERIVATION_KEY=base64.b64encode(DERIVATION_KEY).decode(),
        ),
    )
    return runner(capsys)


def spoil(house: House) -> None:
    """Let all views hold what nobody sealed, in the versions that they had."""
    names: Any = house.runtime.redis.keys(house.keyspace.view("*"))
    for name in names:
        house.runtime.redis.hset(name, "d", b"spoilt")


def test_views_and_lists_are_written_anew_in_the_same_version(house: House, run: Run) -> None:
    payments = [made(house) for _ in range(3)]
    spoil(house)
    ran = run("readmodel", "rebuild", "--json")
    assert ran.code == 0
    assert ran.json["things"] == {"payments": 3, "refunds": 0, **NO_INVOICES, "jobs": 3}
    assert entries(house, of_booking()) == payments[::-1]
    for payment in payments:
        assert house.payment_view(payment).id == payment
        assert house.job_view(house.payment(payment)["job_id"]).subject_id == payment


def test_what_is_newer_in_redis_stays(house: House, run: Run) -> None:
    payment = made(house)
    key = house.keyspace.view(payment)
    house.runtime.redis.hset(key, "v", 99)
    before = house.view_fields(key)
    assert run("readmodel", "rebuild").code == 0
    assert house.view_fields(key) == before


def test_a_dry_run_counts_and_writes_nothing(house: House, run: Run) -> None:
    made(house)
    spoil(house)
    ran = run("readmodel", "rebuild", "--dry-run")
    assert (
        "1 payments, 0 refunds, 0 invoices, 0 invoice_batches, 1 jobs would be written anew; nothing was changed"
        in ran.err
    )
    assert all(
        house.view_fields(name)[b"d"] == b"spoilt" for name in house.runtime.redis.keys(house.keyspace.view("*"))
    )  # type: ignore[union-attr]  # redis-py's union of sync and async


def test_it_goes_by_table_and_client(house: House, run: Run) -> None:
    house.add_client("office")
    ours, theirs = made(house), made(house, client="office")
    spoil(house)
    ran = run("readmodel", "rebuild", "--table", "payments", "--client", "office", "--json")
    assert ran.json["things"] == {"payments": 1}
    assert house.payment_view(theirs).id == theirs
    assert house.view_fields(house.keyspace.view(ours))[b"d"] == b"spoilt"


def test_what_has_not_changed_for_longer_than_views_live_is_left_out_unless_all_is_wanted(
    house: House, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(house)
    monkeypatch.setenv("TOLLGATE_VIEW_SECONDS", "3600")
    for table in ("payments", "jobs"):
        house.sql(f"UPDATE {table} SET updated_at = updated_at - interval '2 hours'")  # noqa: S608 - names of our own
    assert run("readmodel", "rebuild", "--json").json["things"] == {
        "payments": 0,
        "refunds": 0,
        **NO_INVOICES,
        "jobs": 0,
    }
    assert run("readmodel", "rebuild", "--all", "--json").json["things"] == {
        "payments": 1,
        "refunds": 0,
        **NO_INVOICES,
        "jobs": 1,
    }


def test_jobs_of_tollgates_own_are_left_out(house: House, run: Run) -> None:
    own = asked(house, ShowViews(made(house)))
    assert run("readmodel", "rebuild", "--json").json["things"]["jobs"] == 1
    assert house.view_fields(house.keyspace.view(own)) == {}


def test_one_that_stops_says_how_to_go_on_and_the_next_one_does(
    house: House, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    payments = sorted(made(house) for _ in range(4))
    spoil(house)
    monkeypatch.setattr(rebuild, "STEP", 2)
    steps, all_steps = [], rebuild.rebuild_step

    def stop_after_one(*arguments: Any) -> Any:
        if steps:
            raise KeyboardInterrupt
        steps.append(all_steps(*arguments))
        return steps[0]

    monkeypatch.setattr(readmodel, "rebuild_step", stop_after_one)
    stopped = run("readmodel", "rebuild", "--table", "payments")
    assert stopped.code == 1
    assert f"go on with --after {payments[1]}" in stopped.err
    monkeypatch.setattr(readmodel, "rebuild_step", all_steps)
    ran = run("readmodel", "rebuild", "--table", "payments", "--after", payments[1], "--json")
    assert ran.json["things"] == {"payments": 2}
    assert [house.payment_view(payment).id for payment in payments] == payments
    assert run("readmodel", "rebuild", "--after", "ref_x", "--json").json["things"] == {
        "refunds": 0,
        **NO_INVOICES,
        "jobs": 4,
    }
    assert run("readmodel", "rebuild", "--after", "x").code == 2


def test_what_cannot_be_opened_is_named_and_keeps_no_other_from_being_shown(house: House, run: Run) -> None:
    payments = [made(house, f"BK-{number}") for number in range(3)]
    broken = house.payment(payments[1])["customer_id"]
    house.sql("UPDATE customers SET email = '\\x0102'::bytea WHERE id = :id", id=broken)
    spoil(house)
    ran = run("readmodel", "rebuild", "--table", "payments")
    assert ran.code == 1
    assert (
        f"1 can't be opened, for want of a key of TOLLGATE_ENCRYPTION_KEYS, and are not shown: {payments[1]}" in ran.err
    )
    for payment in (payments[0], payments[2]):
        assert house.payment_view(payment).id == payment
