"""Intake: the journal becomes job rows, whatever is repeated, broken, strange or left by a dead dispatcher."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
import sqlalchemy

from config.errors import DatabaseAwayError
from config.keyring import Keyring
from models.database import create_database_engine
from tasks import intake, upkeep
from tasks.contracts.events import StripeEvent
from tasks.contracts.journal import JournalEntry
from tasks.intake import take_waiting
from tasks.upkeep import trim
from tests.builders.entries import entry_of, event_entry, new_key, payment_entry, resigned
from tests.builders.house import House
from tests.builders.invoices import plant_batch, plant_invoice
from tests.builders.payments import plant_payment, plant_refund
from tests.builders.worker import worker_settings
from workers.projections.repair import repair_views

pytestmark = pytest.mark.servers
PLANTS: dict[str, Callable[[House], str]] = {
    "payments": plant_payment,
    "refunds": lambda house: plant_refund(house, plant_payment(house), 100),
    "invoices": plant_invoice,
    "invoice_batches": plant_batch,
}
FORGER = Keyring("m1", {"m1": b"x" * 32})  # knows the key's id, not the key


def rejected(house: House) -> list[dict[bytes, bytes]]:
    found: Any = house.runtime.redis.xrange(house.keyspace.journal_rejected)
    return [fields for _, fields in found]


def stream_ids(house: House) -> list[bytes]:
    found: Any = house.runtime.redis.xrange(house.keyspace.journal)
    return [stream_id for stream_id, _ in found]


def test_entries_become_rows_in_bulk_with_a_hint_each_and_are_acknowledged(house: House) -> None:
    reader = house.reader()
    entries = [payment_entry() for _ in range(120)]
    house.post(*entries)
    assert reader.take_new() == 120
    rows = house.jobs("payments.create")
    assert {row["id"] for row in rows} == {entry.job_id for entry in entries}
    assert {row["state"] for row in rows} == {"ready"}
    assert sorted(house.hinted("payments")) == sorted([entry.job_id] for entry in entries)
    assert house.pending() == 0


def test_a_row_holds_what_was_accepted_with_its_payload_sealed_to_the_row(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    row = house.job(entry.job_id)
    for name in ("client_id", "subject_id", "scope", "fingerprint", "request_id", "kind"):
        assert row[name] == getattr(entry, name)
    assert row["queue"] == "payments"
    assert (row["expires_at"] - row["accepted_at"]).total_seconds() == 6 * 3600
    assert b"Ada" not in bytes(row["payload"])
    assert b'"customer_name":"Ada Lovelace"' in house.payload(entry.job_id)


def test_events_are_hinted_at_in_batches_of_at_most_fifty(house: House) -> None:
    reader = house.reader()
    house.post(*(event_entry(b'{"id": "evt_%d"}' % number) for number in range(120)))
    reader.take_new()
    assert sorted(len(ids) for ids in house.hinted("webhooks")) == [20, 50, 50]


def test_taking_an_entry_in_again_changes_nothing(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    house.claim(entry.job_id)
    before = house.job(entry.job_id)
    taken = house.take_in(entry)
    assert (taken.hints, taken.known) == ([], [entry.job_id])
    after = house.job(entry.job_id)
    assert {name: value for name, value in after.items() if name != "projected_version"} == {
        name: value for name, value in before.items() if name != "projected_version"
    }


def test_an_entry_that_stands_twice_in_one_batch_is_one_job(house: House) -> None:
    entry = payment_entry()
    assert len(house.take_in(entry, entry).hints) == 1


def test_a_reused_key_with_another_body_is_refused_for_whoever_asks_for_that_job(house: House) -> None:
    """Redis forgot the key, so the ingress let the other body in: PostgreSQL did not forget."""
    reader, key = house.reader(), new_key()
    first, other = payment_entry(key), payment_entry(key, amount=9900)
    assert (first.subject_id, first.scope) == (other.subject_id, other.scope)
    house.post(first)
    reader.take_new()
    house.post(other)
    reader.take_new()
    view = house.job_view(other.job_id)
    assert (view.state, view.problem and view.problem["code"]) == ("refused", "idempotency_key_reused")
    assert [row["id"] for row in house.jobs("payments.create")] == [first.job_id]
    assert house.hinted("payments") == [[first.job_id]]
    assert house.pending() == 0


def test_a_reused_key_within_one_batch_keeps_the_first_body(house: House) -> None:
    reader, key = house.reader(), new_key()
    first, other = payment_entry(key), payment_entry(key, amount=9900)
    house.post(first, other)
    reader.take_new()
    assert [row["id"] for row in house.jobs("payments.create")] == [first.job_id]
    assert house.job_view(other.job_id).state == "refused"


def test_whoever_waits_for_a_refused_repeat_is_woken(house: House) -> None:
    reader, key = house.reader(), new_key()
    other = payment_entry(key, amount=9900)
    house.take_in(payment_entry(key))
    house.post(other)
    reader.take_new()
    assert house.runtime.redis.xlen(house.keyspace.waiters(other.job_id)) == 1


def test_a_repeat_after_redis_forgot_has_its_row_shown_again(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    house.sql("UPDATE jobs SET version = 7, projected_version = 7, updated_at = updated_at - interval '1 minute'")
    house.take_in(entry)
    repair_views(house.runtime)
    assert house.job_view(entry.job_id).id == entry.job_id


@pytest.mark.parametrize("table", ["payments", "refunds", "invoices", "invoice_batches"])
def test_what_the_repeated_job_is_about_is_shown_again_as_well(house: House, table: str) -> None:
    subject, entry = PLANTS[table](house), payment_entry()
    house.take_in(entry)
    house.sql("UPDATE jobs SET subject_id = :subject WHERE id = :id", subject=subject, id=entry.job_id)
    house.sql(f"UPDATE {table} SET version = 7, projected_version = 7")  # noqa: S608 - a table of ours
    house.take_in(entry)
    assert house.one(f"SELECT projected_version FROM {table}")["projected_version"] == 0  # noqa: S608 - as above


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda entry: dataclasses.replace(entry, mac=b"\0" * 32), "MAC"),
        (lambda entry: resigned(entry, FORGER), "MAC"),
        (lambda entry: dataclasses.replace(entry, client_id="victim"), "MAC"),
        (lambda entry: dataclasses.replace(entry, accepted_ms=entry.accepted_ms + 1), "MAC"),
        (lambda entry: resigned(entry, sealed=entry.sealed[:-1] + bytes([entry.sealed[-1] ^ 1])), "cannot be opened"),
        (lambda entry: resigned(entry, client_id="victim"), "cannot be opened"),
        (lambda entry: resigned(entry, sealed=b""), "cannot be opened"),
    ],
)
def test_a_forged_or_broken_entry_is_put_aside_with_the_reason(
    house: House, spoil: Callable[[Any], Any], reason: str
) -> None:
    reader, good = house.reader(), payment_entry()
    house.post(spoil(payment_entry()), good)
    reader.take_new()
    [aside] = rejected(house)
    assert reason in aside[b"rejected_because"].decode()
    assert [row["id"] for row in house.jobs("payments.create")] == [good.job_id]
    assert house.pending() == 0


def entry_of_a_newer_kind() -> JournalEntry:
    class Newer(StripeEvent):
        KIND = dataclasses.replace(StripeEvent.KIND, name="payments.explode")

    return entry_of(Newer(b"{}"), client="site", route="r", key="k", subject="s")


def test_what_an_older_version_accepted_is_taken_in(house: House) -> None:
    entry = resigned(payment_entry(), version=1)
    assert [hint.job_id for hint in house.take_in(entry).hints] == [entry.job_id]
    assert house.job(entry.job_id)["contract_version"] == 1


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: resigned(payment_entry(), seal_key_id="newer"), "no key 'newer'"),
        (lambda: dataclasses.replace(payment_entry(), mac_key_id="newer"), "MAC key 'newer'"),
        (lambda: resigned(payment_entry(), version=99), "version 99"),
        (lambda: resigned(payment_entry(), version=0), "version 0"),
        (entry_of_a_newer_kind, "payments.explode"),
    ],
)
def test_an_entry_of_a_newer_ingress_waits_and_comes_back(
    house: House, caplog: pytest.LogCaptureFixture, make: Callable[[], JournalEntry], reason: str
) -> None:
    reader, newer, good = house.reader(), make(), payment_entry()
    house.post(newer, good)
    reader.take_new()
    assert reason in caplog.text
    assert [row["id"] for row in house.jobs("payments.create")] == [good.job_id]
    assert (house.pending(), rejected(house)) == (0, [])
    assert take_waiting(house.runtime) == 1
    [(_, back)] = house.runtime.redis.xrange(house.keyspace.journal)[-1:]
    assert JournalEntry.from_fields(back) == newer
    assert house.runtime.redis.xlen(house.keyspace.journal_waiting) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {b"nonsense": b"1"},
        {b"job_id": b"\xff\xfe"},
        {b"sealed": b"", b"mac": b""},
    ],
)
def test_an_entry_that_is_none_of_ours_is_put_aside(house: House, fields: dict[bytes, bytes]) -> None:
    reader = house.reader()
    house.runtime.redis.xadd(house.keyspace.journal, fields)  # type: ignore[arg-type]  # redis-py's dict is invariant
    reader.take_new()
    [aside] = rejected(house)
    assert aside.items() >= fields.items()
    assert house.pending() == 0


def test_a_number_that_is_none_is_put_aside(house: House) -> None:
    reader = house.reader()
    fields: dict[Any, Any] = dict(payment_entry().to_fields()) | {"accepted_ms": b"soon"}
    house.runtime.redis.xadd(house.keyspace.journal, fields)
    reader.take_new()
    assert b"unreadable" in rejected(house)[0][b"rejected_because"]


def test_an_entry_of_an_unknown_client_waits_without_holding_up_others(house: House) -> None:
    reader = house.reader(runtime=house.changed(claim_idle=0.0))
    strange, good = payment_entry(client="newcomer"), payment_entry()
    house.post(strange, good)
    reader.take_new()
    assert [row["id"] for row in house.jobs("payments.create")] == [good.job_id]
    assert house.pending() == 0
    house.add_client("newcomer")
    assert take_waiting(house.runtime) == 1
    reader.take_new()
    assert house.job(strange.job_id)["client_id"] == "newcomer"
    assert house.pending() == 0


def test_an_entry_that_postgresql_cannot_take_waits_and_holds_up_nobody(house: House) -> None:
    reader = house.reader()
    poison = payment_entry()
    poison = resigned(poison, request_id="a NUL \0 that PostgreSQL refuses")
    good = [payment_entry() for _ in range(6)]
    house.post(*good[:3], poison, *good[3:])
    reader.take_new()
    assert {row["id"] for row in house.jobs("payments.create")} == {entry.job_id for entry in good}
    assert house.pending() == 0
    assert house.runtime.redis.xlen(house.keyspace.journal_waiting) == 1


def test_a_dispatcher_that_dies_between_reading_and_committing_leaves_its_entries_to_another(house: House) -> None:
    entry = payment_entry()
    dead, living = house.reader("dead"), house.reader("living", runtime=house.changed(claim_idle=0.0))
    house.post(entry)
    dead.redis.xreadgroup("dispatchers", "dead", {house.keyspace.journal: ">"})
    assert living.take_left() == 1
    assert house.job(entry.job_id)["state"] == "ready"
    assert house.pending() == 0


def test_what_another_dispatcher_read_a_moment_ago_is_left_to_it(house: House) -> None:
    first, second = house.reader("first"), house.reader("second")
    house.post(payment_entry())
    first.redis.xreadgroup("dispatchers", "first", {house.keyspace.journal: ">"})
    assert second.take_left() == 0
    assert house.pending() == 1


def test_a_dispatcher_that_dies_between_commit_and_acknowledgement_does_no_harm(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = payment_entry()
    reader = house.reader(runtime=house.changed(claim_idle=0.0))
    house.post(entry)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(intake, "publish", die)
        with pytest.raises(KeyboardInterrupt):
            reader.take_new()
    assert (house.pending(), len(house.jobs("payments.create"))) == (1, 1)
    reader.take_left()
    assert (house.pending(), len(house.jobs("payments.create"))) == (0, 1)


def test_nothing_is_acknowledged_while_postgresql_is_away(house: House) -> None:
    reader = house.reader()
    house.post(payment_entry())
    engine = create_database_engine(worker_settings().database, "test")
    reader.runtime = dataclasses.replace(reader.runtime, engine=engine)
    with pytest.raises(DatabaseAwayError):
        reader.take_new()
    assert house.pending() == 1


def test_a_journal_that_redis_forgot_is_begun_again(house: House) -> None:
    reader = house.reader()
    house.runtime.redis.delete(house.keyspace.journal)
    reader.take_new()
    house.runtime.redis.delete(house.keyspace.journal)
    reader.take_left()
    entry = payment_entry()
    house.post(entry)
    reader.take_new()
    assert house.job(entry.job_id)["state"] == "ready"


def test_what_was_posted_after_redis_forgot_and_before_the_group_was_made_again_is_taken_in(house: House) -> None:
    reader, entry = house.reader(), payment_entry()
    house.runtime.redis.delete(house.keyspace.journal)
    house.post(entry)
    reader.take_new()
    reader.take_new()
    assert house.job(entry.job_id)["state"] == "ready"


def test_two_dispatchers_at_once_take_every_entry_in_once(house: House) -> None:
    entries = [payment_entry() for _ in range(200)]
    readers = [house.reader(name, runtime=house.changed(intake_batch=7)) for name in ("one", "two")]
    house.post(*entries)

    def work(reader: intake.Reader) -> None:
        while reader.take_new():
            pass

    threads = [threading.Thread(target=work, args=(reader,)) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(house.jobs("payments.create")) == 200
    assert sorted(house.hinted("payments")) == sorted([entry.job_id] for entry in entries)
    assert house.pending() == 0


def test_an_entry_that_two_dispatchers_commit_is_hinted_at_by_one(house: House) -> None:
    entries = [payment_entry() for _ in range(60)]
    reversed_entries = entries[::-1]
    taken: list[int] = []
    threads = [
        threading.Thread(target=lambda given=given: taken.append(len(house.take_in(*given).hints)))
        for given in (entries, entries)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 60
    assert house.take_in(*reversed_entries).hints == []


def test_trimming_drops_what_was_taken_in_long_ago_and_keeps_what_is_pending_or_not_yet_read(house: House) -> None:
    reader, day = house.reader(), house.runtime.settings.jobs.journal_keep
    house.post(*(payment_entry("k") for _ in range(300)))
    reader.take_new()
    [left] = house.post(payment_entry())
    reader.redis.xreadgroup("dispatchers", "dead", {house.keyspace.journal: ">"})
    later = house.post(*(payment_entry("k") for _ in range(300)))
    for now in (1.0, day / 2, day):
        trim(house.runtime, lambda now=now: now)  # type: ignore[misc]  # mypy can't infer a lambda with a default
        assert len(stream_ids(house)) == 601, "it has not been there for long enough"
    for now in (day + 1.0, 3 * day):
        trim(house.runtime, lambda now=now: now)  # type: ignore[misc]  # as above
        kept = stream_ids(house)
        assert kept[-301:] == [left, *later]
        assert len(kept) < 301 + 100  # trimming is by whole nodes of a hundred


def test_trimming_keeps_for_a_day_what_was_taken_in_a_day_after_it_was_read(house: House) -> None:
    """PostgreSQL was away for a day, and may have to be restored soon after."""
    day = house.runtime.settings.jobs.journal_keep
    house.reader()
    house.post(*(payment_entry("k") for _ in range(300)))
    dead: Any = house.runtime.redis.xreadgroup("dispatchers", "dead", {house.keyspace.journal: ">"})
    trim(house.runtime, lambda: 0.0)
    house.runtime.redis.xack(house.keyspace.journal, "dispatchers", *(name for name, _ in dead[0][1]))
    for now in (day, day + 1.0, 2 * day - 1.0):
        trim(house.runtime, lambda now=now: now)  # type: ignore[misc]  # as above
        assert len(stream_ids(house)) == 300
    trim(house.runtime, lambda: 2 * day)
    assert len(stream_ids(house)) <= 100


def test_trimming_keeps_what_an_operator_has_read_again(house: House) -> None:
    reader, day = house.reader(), house.runtime.settings.jobs.journal_keep
    house.post(*(payment_entry("k") for _ in range(300)))
    reader.take_new()
    trim(house.runtime, lambda: 0.0)
    house.runtime.redis.xgroup_setid(house.keyspace.journal, "dispatchers", "0-0")
    for now in (day, 2 * day):
        trim(house.runtime, lambda now=now: now)  # type: ignore[misc]  # as above
        assert len(stream_ids(house)) == 300


def test_trimming_without_a_journal_or_a_group_drops_nothing(house: House) -> None:
    with pytest.raises(redis.exceptions.ResponseError):
        trim(house.runtime, lambda: 4_000_000_000.0)
    house.post(*(payment_entry("k") for _ in range(300)))
    for now in (1_000.0, 1_001.0):
        trim(house.changed(journal_keep=0.001), lambda now=now: now)  # type: ignore[misc]  # as above
    assert len(stream_ids(house)) == 300


def test_intake_needs_no_more_statements_for_many_entries_than_for_one(house: House) -> None:
    seen: list[str] = []
    sqlalchemy.event.listen(house.runtime.engine, "before_cursor_execute", lambda *args: seen.append(args[2]))
    house.take_in(payment_entry())
    one = len(seen)
    house.take_in(*(payment_entry() for _ in range(100)))
    assert len(seen) - one == one


def test_a_record_that_redis_made_for_a_refused_body_is_forgotten(house: House) -> None:
    reader, key = house.reader(), new_key()
    first, second = payment_entry(key=key), payment_entry(key=key, amount=99_900)
    house.post(first)
    reader.take_new()
    record = house.keyspace.idempotency(second.scope)
    house.runtime.redis.set(record, "what the accept script noted for the second body")
    house.post(second)
    reader.take_new()
    assert house.runtime.redis.exists(record) == 0


def test_a_dispatcher_that_is_long_gone_is_struck_off_the_group(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = house.reader()
    house.post(payment_entry())
    reader.take_new()
    monkeypatch.setattr(upkeep, "IDLE_CONSUMER_MS", -1)
    trim(house.runtime, time.time)
    assert house.runtime.redis.xinfo_consumers(house.keyspace.journal, intake.GROUP) == []
