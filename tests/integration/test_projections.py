"""Projections: Redis shows what PostgreSQL knows, never an older view over a newer one, and nothing readable."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest
from sqlalchemy import text

from config.errors import SealBrokenError
from config.settings import RedisSettings
from tasks.contracts.api_keys import ApiKeyRecord, issue_token
from tasks.contracts.steps import Step
from tasks.contracts.views import JobView
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import House
from tests.builders.ingress import NOWHERE, PEPPER, Site, body
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import event
from tests.polling import wait_until
from workers.projections import repair
from workers.projections.nouns import NOUNS
from workers.projections.projector import Shown, _note, project, write
from workers.projections.repair import repair_forgotten, repair_views
from workers.redis_client import create_redis

pytestmark = pytest.mark.servers
[JOBS] = [noun for noun in NOUNS if noun.table == "jobs"]
CANARIES = (b"Ada", b"canary", b"203.0.113", b"Mozilla", b"First aid", b"first-aid", b"BK-2026", b"_secret_", b"4950")


def view(job_id: str, state: str) -> JobView:
    return JobView(job_id, "site", "payments.create", state, "pay_1", 1, None, "then", "now")


def show(house: House, state: str, epoch: int, version: int, job_id: str = "job_1") -> int:
    key = house.keyspace.view(job_id)
    return write(house.runtime, [Shown(job_id, key, epoch, version, view(job_id, state))], Step.VIEWS)


def settled(house: House) -> None:
    """Let a moment have passed since the last changes, so that the dispatcher repairs what workers left."""
    for table in ("jobs", "payments"):
        house.sql(f"UPDATE {table} SET updated_at = updated_at - interval '1 minute'")  # noqa: S608 - names of our own


def taken(house: House, **changes: Any) -> tuple[str, str]:
    entry = payment_entry(**changes)
    house.take_in(entry)
    return entry.job_id, entry.subject_id


# Never older over newer


@pytest.mark.parametrize(
    ("epoch", "version", "wins"),
    [(2, 6, True), (3, 1, True), (2, 5, False), (2, 4, False), (1, 99, False)],
)
def test_a_view_is_replaced_only_by_a_later_epoch_or_version(
    house: House, epoch: int, version: int, wins: bool
) -> None:
    assert show(house, "waiting", 2, 5) == 1
    assert show(house, "done", epoch, version) == int(wins)
    assert house.job_view("job_1").state == ("done" if wins else "waiting")


def test_projectors_at_once_leave_the_newest_view(house: House) -> None:
    threads = [
        threading.Thread(target=show, args=(house, "done" if version == 30 else "waiting", 1, version))
        for version in range(1, 31)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert house.job_view("job_1").state == "done"


def test_views_do_not_live_for_ever(house: House) -> None:
    show(house, "done", 1, 1)
    ttl: Any = house.runtime.redis.ttl(house.keyspace.view("job_1"))
    assert 0 < ttl <= house.runtime.settings.view_seconds


# Waiting


@pytest.mark.parametrize(("state", "wakes"), [("done", True), ("dead", True), ("checking", False), ("waiting", False)])
def test_who_waits_is_woken_by_what_ends_the_wait(house: House, state: str, wakes: bool) -> None:
    show(house, state, 1, 1)
    assert house.runtime.redis.exists(house.keyspace.waiters("job_1")) == int(wakes)


def test_all_who_wait_are_woken_once_and_the_view_can_be_read_by_then(shop: House) -> None:
    job_id, payment_id = taken(shop)
    seen: list[tuple[int, str, str | None]] = []
    started = threading.Barrier(4)

    def wait() -> None:
        with create_redis(shop.runtime.settings.redis, socket_timeout=15.0) as redis:
            started.wait()
            stream = shop.keyspace.waiters(job_id)
            woken: Any = redis.xread({stream: "0"}, block=10_000)
            seen.append((len(woken[0][1]), shop.job_view(job_id).state, shop.payment_view(payment_id).client_secret))

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    started.wait()
    shop.create(job_id)
    for thread in threads:
        thread.join()
    assert [(count, state) for count, state, _ in seen] == [(1, "done")] * 3
    assert all(secret and "_secret_" in secret for _, _, secret in seen)


def test_a_waiters_stream_is_short_and_expires(house: House) -> None:
    for version in range(1, 5):
        show(house, "done", 1, version)
    assert house.runtime.redis.xlen(house.keyspace.waiters("job_1")) == 1
    ttl: Any = house.runtime.redis.ttl(house.keyspace.waiters("job_1"))
    assert 0 < ttl <= 60


# Repair


def test_a_job_is_shown_after_its_outcome_and_its_version_noted(house: House) -> None:
    job_id, payment_id = taken(house)
    house.create(job_id)
    assert house.job_view(job_id).state == "waiting"
    assert house.payment_view(payment_id).status == "processing"
    assert house.job(job_id)["projected_version"] == house.job(job_id)["version"]
    assert house.payment(payment_id)["projected_version"] == house.payment(payment_id)["version"]
    settled(house)
    assert repair_views(house.runtime) == 0


def without_redis(house: House) -> Any:
    settings = house.runtime.settings.redis
    away = create_redis(RedisSettings(NOWHERE, settings.keyspace, 0.2, 0.2, 2))
    return dataclasses.replace(house.runtime, redis=away)


def test_while_redis_is_away_jobs_go_on_and_their_views_are_repaired_afterwards(house: House) -> None:
    job_id, payment_id = taken(house)
    assert house.create(job_id, without_redis(house)).state == "waiting"
    assert house.view_fields(house.keyspace.view(job_id)) == {}
    settled(house)
    assert repair_views(house.runtime) == 4  # the job, the payment, and the lists of its booking and customer
    assert house.job_view(job_id).state == "waiting"
    assert house.payment_view(payment_id).status == "processing"
    assert repair_views(house.runtime) == 0


def test_a_repaired_end_wakes_those_who_still_wait(house: House) -> None:
    job_id, _ = taken(house)
    house.sql("UPDATE jobs SET expires_at = accepted_at")
    house.create(job_id, without_redis(house))
    settled(house)
    repair_views(house.runtime)
    assert house.runtime.redis.xlen(house.keyspace.waiters(job_id)) == 1


def test_more_than_a_rounds_worth_is_repaired_in_several(house: House) -> None:
    ids = [entry.job_id for entry in (payment_entry() for _ in range(250)) if house.take_in(entry)]
    settled(house)
    written = 0
    for _ in range(3):
        written += repair_views(house.runtime)
    assert written == 250
    assert house.job_view(ids[0]).state == "ready"


def test_what_nobody_may_ask_for_is_never_shown(house: House) -> None:
    entry = event_entry(event("customer.created", {"object": "customer", "id": "cus_1"}))
    house.take_in(entry)
    house.handle(entry.job_id)
    settled(house)
    assert repair_views(house.runtime) == 0
    assert house.view_fields(house.keyspace.view(entry.job_id)) == {}


def test_a_redis_that_forgot_everything_is_filled_anew(house: House) -> None:
    job_id, payment_id = taken(house)
    house.create(job_id)
    token = issue_token("sandbox", lambda size: b"k" * size)
    record = ApiKeyRecord(token.hashed(PEPPER), "site", 9, 9).signed(PEPPER, token.key_id)
    house.sql(
        "INSERT INTO api_keys (id, client_id, environment, hashed, rate, burst, mac) "
        "VALUES (:id, 'site', 'sandbox', :h, 9, 9, :mac)",
        id=token.key_id,
        h=record.hashed,
        mac=record.mac,
    )
    assert repair_forgotten(house.runtime) is True
    assert repair_forgotten(house.runtime) is False
    settled(house)
    repair_views(house.runtime)
    forget(house)
    assert repair_forgotten(house.runtime) is True
    assert repair_views(house.runtime) == 4  # the job, the payment, and the lists of its booking and customer
    assert house.job_view(job_id).state == "waiting"
    assert house.payment_view(payment_id).status == "processing"
    shown: Any = house.runtime.redis.hgetall(house.keyspace.api_key(token.key_id))
    assert ApiKeyRecord.from_fields(shown).is_authentic(PEPPER, token.key_id)


def forget(house: House) -> None:
    keys: Any = house.runtime.redis.keys(f"{house.keyspace.prefix}*")
    house.runtime.redis.delete(*keys)


def test_a_restore_bumps_the_epoch_and_views_of_the_lost_time_never_win(house: House) -> None:
    job_id, _ = taken(house)
    house.create(job_id)
    repair_forgotten(house.runtime)
    lost_version = house.job(job_id)["version"] + 50
    show(house, "done", 1, lost_version, job_id)
    house.sql("UPDATE projection_epoch SET epoch = 2")
    settled(house)
    assert repair_forgotten(house.runtime) is True
    repair_views(house.runtime)
    assert house.job_view(job_id).state == "waiting"
    show(house, "done", 1, lost_version + 1, job_id)
    assert house.job_view(job_id).state == "waiting"


def test_a_payment_whose_secret_cannot_be_opened_does_not_keep_others_from_being_shown(shop: House) -> None:
    jobs = [taken(shop) for _ in range(5)]
    for job_id, _ in jobs:
        shop.create(job_id, without_redis(shop))
    broken = jobs[2][1]
    shop.sql("UPDATE payments SET client_secret = '\\x0102'::bytea WHERE id = :id", id=broken)
    settled(shop)
    repair_views(shop.runtime)
    for job_id, payment_id in jobs:
        assert shop.job_view(job_id).state == "done"
        if payment_id != broken:
            assert shop.payment_view(payment_id).status == "requires_confirmation"


def test_noting_a_version_waits_for_no_row_that_another_holds(house: House) -> None:
    """Events lock payments in the order of their ids; a projector that waited in another order would deadlock."""
    ids = sorted(taken(house)[1] for _ in range(2))
    for row in house.jobs("payments.create"):
        house.create(row["id"], without_redis(house))
    with house.runtime.transaction(Step.NOTE) as session:
        session.execute(text("SELECT 1 FROM payments WHERE id = :id FOR UPDATE"), {"id": ids[0]})
        done = threading.Event()

        def show_both() -> None:
            project(house.runtime, ids)
            done.set()

        thread = threading.Thread(target=show_both)
        thread.start()
        assert done.wait(2.0)
        thread.join()
        session.execute(text("SELECT 1 FROM payments WHERE id = :id FOR UPDATE NOWAIT"), {"id": ids[1]})
    assert house.payment(ids[0])["projected_version"] == 0
    assert house.payment(ids[1])["projected_version"] > 0


def test_a_slow_projector_does_not_take_back_what_a_faster_one_noted(house: House) -> None:
    job_id, _ = taken(house)
    house.create(job_id)
    house.sql("UPDATE jobs SET version = 9, projected_version = 9")
    with house.runtime.transaction(Step.NOTE) as session:
        key = house.keyspace.view(job_id)
        _note(session, JOBS, [Shown(job_id, key, 1, 4, view(job_id, "done"))])
    assert house.job(job_id)["projected_version"] == 9


# Nothing readable


def everything_in_redis(house: House) -> bytes:
    """Return all keys and values under the test's prefix, as one text."""
    redis, found = house.runtime.redis, bytearray()
    for key in redis.scan_iter(match=f"{house.keyspace.prefix}*"):
        kind: Any = redis.type(key)
        match kind:
            case b"hash":
                value: Any = redis.hgetall(key)
            case b"stream":
                value = redis.xrange(key)
            case b"list":
                value = redis.lrange(key, 0, -1)
            case b"set":
                value = redis.smembers(key)
            case b"zset":
                value = redis.zrange(key, 0, -1)
            case _:
                value = redis.get(key)
        found += key + repr(value).encode()
    return bytes(found)


def test_nothing_personal_or_secret_is_readable_in_redis_or_postgresql(
    shop: House, stripe: Simulator, redis_url: str
) -> None:
    site = Site(redis_url, shop.keyspace.prefix)
    posted = site.post(body(customer={"name": "Ada Canary", "email": "canary@example.org"}), new_key())
    assert posted.status_code == 202
    job_id, payment_id = posted.get_json()["job"]["id"], posted.get_json()["payment"]["id"]
    reader = shop.reader()
    reader.take_new()
    shop.create(job_id)
    fake = {"object": "payment_intent", "id": "pi_x", "receipt_email": "canary@example.org", "status": "succeeded"}
    site.post_event(event("payment_intent.succeeded", fake))
    reader.take_new()
    shop.handle(*(row["id"] for row in shop.jobs("stripe.event")))
    secret = shop.payment_view(payment_id).client_secret
    assert secret is not None
    in_redis = everything_in_redis(shop)
    assert job_id.encode() in in_redis
    names = shop.sql("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'")
    rows = [row for each in names for row in shop.sql(f'SELECT * FROM "{each["name"]}"')]  # noqa: S608 - names of our own
    in_database = repr(
        [bytes(value) if isinstance(value, memoryview) else value for row in rows for value in row.values()]
    ).encode()
    assert payment_id.encode() in in_database
    secrets = (secret.encode(), site.token.text.encode(), b"sk_test_simulator")
    for canary in (b"Canary", b"canary@", b"203.0.113", b"Mozilla", b"First aid", b"first-aid", b"_secret_", *secrets):
        assert canary not in in_redis
        assert canary not in in_database
    site.close()


def test_a_view_put_in_anothers_place_is_not_believed(house: House) -> None:
    show(house, "done", 1, 1)
    stolen: Any = house.view_fields(house.keyspace.view("job_1"))
    house.runtime.redis.hset(house.keyspace.view("job_2"), mapping=stolen)
    with pytest.raises(SealBrokenError, match="cannot be opened"):
        house.job_view("job_2")


def test_the_end_reaches_a_website_that_waits(shop: House, redis_url: str) -> None:
    site = Site(redis_url, shop.keyspace.prefix)
    answers: list[Any] = []
    key = new_key()
    thread = threading.Thread(
        target=lambda: answers.append(site.post(key=key, headers={"Prefer": "wait=10"}).get_json())
    )
    thread.start()
    reader = shop.reader()
    wait_until(reader.take_new, "the request is in the journal")
    [row] = shop.jobs("payments.create")
    shop.create(row["id"])
    thread.join()
    assert answers[0]["payment"]["status"] == "requires_confirmation"
    assert answers[0]["payment"]["client_secret"]
    site.close()


def test_canaries_would_be_found_if_they_were_there(house: House) -> None:
    house.runtime.redis.set(f"{house.keyspace.prefix}leak", "Ada Lovelace, canary@example.org")
    assert [canary for canary in CANARIES if canary in everything_in_redis(house)] == [b"Ada", b"canary"]


def test_a_large_table_is_marked_in_steps_that_commit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "STEP", 3)
    monkeypatch.setattr(repair, "REPAIR_BATCH", 4)
    entries = [payment_entry() for _ in range(10)]
    house.take_in(*entries)
    house.sql("UPDATE jobs SET projected_version = version, updated_at = clock_timestamp() - interval '5 seconds'")
    assert repair.repair_forgotten(house.runtime) is True
    assert {row["projected_version"] for row in house.jobs("payments.create")} == {0}
    assert repair.repair_views(house.runtime) == 10
    assert {house.job_view(entry.job_id).state for entry in entries} == {"ready"}
