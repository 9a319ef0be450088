"""Publish and republish: a hint is sent after its mark is committed, is sent again when lost, and never multiplied."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from config.celery_factory import create_celery
from config.queues import QUEUES
from tasks import upkeep
from tasks.contracts.steps import Step
from tasks.intake import publish
from tasks.publisher import empty_queues, send
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House, body_of
from workers.jobs.publish import _OVERDUE_QUEUES, _PUBLISH, _REPUBLISH, Hint, mark_due, mark_lost, overdue_queues

pytestmark = pytest.mark.servers
NOBODY = "redis://127.0.0.1:1/0"  # port 1 answers nobody
LONGEST_SEND_S = 8.0  # far below any of kombu's endless retries, above its own connection timeout


def taken(house: House, number: int) -> list[str]:
    """Take payments in; their hints were lost, and their marks taken back."""
    ids = [hint.job_id for hint in house.take_in(*(payment_entry() for _ in range(number))).hints]
    house.sql("UPDATE jobs SET published_at = NULL")
    return ids


def published_ago(house: House, seconds: float) -> None:
    house.sql("UPDATE jobs SET published_at = clock_timestamp() - make_interval(secs => :s)", s=seconds)


def number_anew(house: House, *ids: str) -> None:
    """Let hints stand in their queue in this order, behind all others."""
    for job_id in ids:
        house.sql("UPDATE jobs SET publish_number = nextval('job_publish_numbers') WHERE id = :id", id=job_id)


def lost(house: House, empty: Sequence[str] = ()) -> list[str]:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return [hint.job_id for hint in mark_lost(session, grace=5.0, empty_queues=empty, most=500)]


def due(house: House) -> list[str]:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return [hint.job_id for hint in mark_due(session, 500)]


def test_a_due_job_is_hinted_at_once_by_its_kind_and_its_ids_alone(house: House) -> None:
    [job_id] = taken(house, 1)
    upkeep.publish_due(house.runtime, house.app)
    upkeep.publish_due(house.runtime, house.app)
    [message] = house.messages("payments")
    assert body_of(message) == [[[job_id]], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    assert (message["headers"]["task"], message["headers"]["id"]) == ("payments.create", job_id)
    assert message["headers"]["retries"] == 0
    assert message["headers"]["eta"] is None


def test_nothing_of_a_payment_stands_in_a_message(house: House) -> None:
    taken(house, 3)
    upkeep.publish_due(house.runtime, house.app)
    raw: Any = house.runtime.redis.lrange(f"{house.keyspace.prefix}celery:payments", 0, -1)
    assert len(raw) == 3
    for canary in (b"Ada", b"example.org", b"4950", b"BK-2026", b"203.0.113"):
        assert not any(canary in message for message in raw)


def test_jobs_of_a_batch_kind_share_messages_of_at_most_fifty(house: House) -> None:
    house.take_in(*(event_entry(b'{"id": "evt_%d"}' % number) for number in range(120)))
    house.sql("UPDATE jobs SET published_at = NULL")
    upkeep.publish_due(house.runtime, house.app)
    hinted = house.hinted("webhooks")
    assert sorted(map(len, hinted)) == [20, 50, 50]
    assert len({job_id for ids in hinted for job_id in ids}) == 120


def test_a_job_whose_time_has_not_come_is_not_published(house: House) -> None:
    taken(house, 1)
    house.sql("UPDATE jobs SET next_run_at = clock_timestamp() + interval '1 hour'")
    assert due(house) == []


@pytest.mark.parametrize("state", ["done", "refused", "dead", "cancelled"])
def test_a_job_that_is_over_is_not_published(house: House, state: str) -> None:
    taken(house, 1)
    house.force("UPDATE jobs SET state = :state", state=state)
    assert due(house) == []


def test_a_running_job_is_not_published(house: House) -> None:
    [job_id] = taken(house, 1)
    house.claim(job_id)
    assert due(house) == []


def test_more_jobs_than_fit_in_one_round_are_all_published(house: House) -> None:
    ids = taken(house, 25)
    upkeep.publish_due(house.changed(publish_batch=10), house.app)
    assert sorted(house.hinted("payments")) == sorted([job_id] for job_id in ids)


def test_two_dispatchers_publish_a_job_once(house: House) -> None:
    ids = taken(house, 10)
    with house.runtime.transaction(Step.PUBLISH) as one, house.runtime.transaction(Step.PUBLISH) as two:
        first, second = mark_due(one, 6), mark_due(two, 10)
    assert sorted(hint.job_id for hint in first + second) == sorted(ids)


def test_the_mark_is_committed_before_the_hint_is_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    taken(house, 1)
    seen: list[Any] = []

    def sent(_app: object, hints: list[Hint]) -> list[Hint]:
        seen.extend(house.job(hint.job_id)["published_at"] for hint in hints)
        return []

    monkeypatch.setattr("tasks.intake.send", sent)
    upkeep.publish_due(house.runtime, house.app)
    assert len(seen) == 1
    assert seen[0] is not None


def test_while_the_broker_is_away_marks_are_taken_back_soon_and_sent_when_it_is_there(house: House) -> None:
    ids = taken(house, 3)
    with create_celery(broker_url=NOBODY, keyspace=house.keyspace, publishes_only=True) as nowhere:
        started = time.monotonic()
        upkeep.publish_due(house.runtime, nowhere)
        assert time.monotonic() - started < LONGEST_SEND_S
        assert [row["published_at"] for row in house.jobs("payments.create")] == [None] * 3
    upkeep.publish_due(house.runtime, house.app)
    assert sorted(house.hinted("payments")) == sorted([job_id] for job_id in ids)


def test_a_backlog_longer_than_a_round_does_not_trap_the_dispatcher_while_the_broker_is_away(house: House) -> None:
    taken(house, 4)
    with create_celery(broker_url=NOBODY, keyspace=house.keyspace, publishes_only=True) as nowhere:
        started = time.monotonic()
        upkeep.publish_due(house.changed(publish_batch=2), nowhere)
        assert time.monotonic() - started < LONGEST_SEND_S
    assert [row["published_at"] for row in house.jobs("payments.create")] == [None] * 4


def test_a_sender_finds_its_way_back_to_a_broker_that_dropped_the_connection(house: House) -> None:
    [first, second] = taken(house, 2)
    assert send(house.app, [Hint(first, "payments.create", "payments")]) == []
    clients: Any = house.runtime.redis.client_list(_type="normal")
    own = house.runtime.redis.client_id()
    for client in clients:
        if int(client["id"]) != own and client["cmd"] in {"lpush", "evalsha", "exec", "sadd", "smembers"}:
            house.runtime.redis.client_kill_filter(_id=client["id"])
    hints = [Hint(second, "payments.create", "payments")]
    unsent = send(house.app, hints)
    assert send(house.app, unsent) == []
    assert [second] in house.hinted("payments")


def test_a_hint_lost_from_an_empty_queue_is_sent_again(house: House) -> None:
    [job_id] = taken(house, 1)
    upkeep.publish_due(house.runtime, house.app)
    house.drop_messages("payments")
    published_ago(house, 6.0)
    upkeep.publish_lost(house.runtime, house.app)
    assert house.hinted("payments") == [[job_id]]


def test_a_hint_in_a_queue_that_has_not_moved_is_not_lost(house: House) -> None:
    ids = taken(house, 30)
    upkeep.publish_due(house.runtime, house.app)
    published_ago(house, 3600.0)
    upkeep.publish_lost(house.runtime, house.app)
    assert len(house.hinted("payments")) == len(ids)


def test_a_hint_that_its_queue_has_moved_past_is_sent_again_alone(house: House) -> None:
    first, second, third = sorted(taken(house, 3))
    number_anew(house, first, second, third)
    published_ago(house, 6.0)
    house.claim(second)
    assert lost(house) == [first]


def test_a_hint_is_given_its_time_before_it_counts_as_lost(house: House) -> None:
    taken(house, 1)
    published_ago(house, 4.0)
    assert lost(house, ["payments"]) == []
    with house.runtime.transaction(Step.PUBLISH) as session:
        assert overdue_queues(session, 5.0) == []


def test_a_backlog_is_not_multiplied_by_a_hint_that_was_late_and_not_lost(house: House) -> None:
    """A hint waits in a busy worker, is taken for lost and sent again, and then does arrive by its first way."""
    ids = taken(house, 20)
    number_anew(house, *ids)
    published_ago(house, 6.0)
    house.claim(ids[1])
    assert lost(house) == [ids[0]]
    published_ago(house, 6.0)
    house.claim(ids[0])
    assert lost(house) == []


def test_a_hint_lost_twice_is_sent_a_third_time(house: House) -> None:
    first, second, third = taken(house, 3)
    number_anew(house, first, second, third)
    published_ago(house, 6.0)
    house.claim(second)
    assert lost(house) == [first]
    number_anew(house, third)
    published_ago(house, 6.0)
    house.claim(third)
    assert lost(house) == [first]


def test_a_queue_that_was_never_used_is_empty_and_one_with_a_message_is_not(house: House) -> None:
    taken(house, 1)
    upkeep.publish_due(house.runtime, house.app)
    assert empty_queues(house.app, ["payments", "webhooks"]) == ["webhooks"]


def test_no_queue_is_empty_while_the_broker_is_away(house: House) -> None:
    with create_celery(broker_url=NOBODY, keyspace=house.keyspace, publishes_only=True) as nowhere:
        started = time.monotonic()
        assert empty_queues(nowhere, ["payments"]) == []
        assert time.monotonic() - started < LONGEST_SEND_S


def test_a_hint_with_no_way_to_send_it_is_unmarked_even_after_others_were_sent(house: House) -> None:
    ids = taken(house, 2)
    with house.runtime.transaction(Step.PUBLISH) as session:
        hints = mark_due(session, 10)
    with create_celery(broker_url=NOBODY, keyspace=house.keyspace, publishes_only=True) as nowhere:
        publish(house.runtime, nowhere, hints)
    assert sorted(due(house)) == sorted(ids)


def backlog(house: House, queue: str, rows: int, *, published: bool) -> None:
    """Let a queue hold so many jobs that are due."""
    [job_id] = taken(house, 1)
    columns = (
        "kind, contract_version, client_id, subject_id, fingerprint, request_id, payload, accepted_at, expires_at,"
        " next_run_at"
    )
    number, at = ("nextval('job_publish_numbers')", "clock_timestamp()") if published else ("NULL", "NULL")
    house.sql(
        f"INSERT INTO jobs (id, scope, queue, published_at, publish_number, {columns})"  # noqa: S608 - built of constants
        f" SELECT 'job_' || n, 'scope ' || n, :queue, {at}, {number}, {columns}"
        " FROM jobs, generate_series(1, :rows) AS n WHERE id = :id",
        queue=queue,
        rows=rows,
        id=job_id,
    )
    house.sql("DELETE FROM jobs WHERE id = :id", id=job_id)


def blocks_read(house: House, statement: Any, **parameters: Any) -> int:
    """Return how many of PostgreSQL's 8 kB blocks a statement touches, whatever the machine's speed."""
    house.sql("ANALYZE jobs")
    with house.runtime.engine.begin() as connection:
        plan = connection.execute(text(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement.text}"), parameters)
        root = plan.scalar_one()[0]["Plan"]
    return int(root["Shared Hit Blocks"]) + int(root["Shared Read Blocks"])


LONG_BACKLOG = 20_000
FEW_BLOCKS = 300  # a walk over the backlog's rows touches thousands


def test_no_queue_waits_behind_the_backlog_of_another(house: House) -> None:
    backlog(house, "webhooks", 30, published=False)
    [job_id] = taken(house, 1)
    with house.runtime.transaction(Step.PUBLISH) as session:
        hints = mark_due(session, 10)
    assert [hint.job_id for hint in hints if hint.queue == "payments"] == [job_id]
    assert len([hint for hint in hints if hint.queue == "webhooks"]) == 10


@pytest.mark.parametrize("paused", [False, True])
def test_to_look_for_lost_hints_costs_no_walk_over_a_long_backlog(house: House, paused: bool) -> None:
    backlog(house, "webhooks", LONG_BACKLOG, published=True)
    if paused:
        house.sql("INSERT INTO queues (name, paused_at) VALUES ('webhooks', clock_timestamp())")
    published_ago(house, 6.0)
    parameters = {"queues": list(QUEUES), "grace": 5.0, "empty": [], "most": 500}
    assert blocks_read(house, _REPUBLISH, **parameters) < FEW_BLOCKS
    assert blocks_read(house, _OVERDUE_QUEUES, queues=list(QUEUES), grace=5.0) < FEW_BLOCKS


def test_to_publish_costs_no_walk_over_the_backlog_of_a_paused_queue(house: House) -> None:
    backlog(house, "webhooks", LONG_BACKLOG, published=False)
    house.sql("INSERT INTO queues (name, paused_at) VALUES ('webhooks', clock_timestamp())")
    assert blocks_read(house, _PUBLISH, queues=list(QUEUES), most=500) < FEW_BLOCKS
    assert due(house) == []


def test_all_lost_hints_of_a_long_backlog_are_sent_again_in_one_round(house: House) -> None:
    ids = taken(house, 25)
    upkeep.publish_due(house.runtime, house.app)
    house.drop_messages("payments")
    published_ago(house, 6.0)
    upkeep.publish_lost(house.changed(publish_batch=10), house.app)
    assert sorted(house.hinted("payments")) == sorted([job_id] for job_id in ids)


def test_what_was_sent_since_a_queue_was_found_empty_is_never_taken_for_lost(house: House) -> None:
    """The look at the queue is as old as the grace: by then hints may have been sent and be overdue as well."""
    ids = taken(house, 25)
    upkeep.publish_due(house.runtime, house.app)
    house.drop_messages("payments")
    published_ago(house, 6.0)
    moments = iter([0.0, 2.6])
    upkeep.publish_lost(house.changed(publish_batch=10), house.app, lambda: next(moments))
    assert len(house.hinted("payments")) == 10 < len(ids)
