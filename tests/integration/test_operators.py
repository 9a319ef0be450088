"""What operators may do to jobs and queues: pause, cancel, replay, discard; each is recorded with its reason."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from config import errors
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from workers.jobs import dead
from workers.jobs.attempt import ROW_SECONDS, Attempt
from workers.jobs.cancel import cancel
from workers.jobs.operator import Operator
from workers.jobs.pause import pause, publish_again, resume
from workers.jobs.publish import mark_due, mark_lost

pytestmark = pytest.mark.servers
ADA = Operator("ada", "the test says so")
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}
MOST = 100


def accepted(house: House) -> tuple[str, str]:
    entry = payment_entry()
    house.take_in(entry)
    return entry.job_id, entry.subject_id


def actions(house: House) -> list[tuple[Any, ...]]:
    rows = house.sql("SELECT action, subject, operator, reason FROM operator_actions ORDER BY id")
    return [(row["action"], row["subject"], row["operator"], row["reason"]) for row in rows]


def published(house: House) -> list[str]:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return [hint.job_id for hint in mark_due(session, MOST)]


def set_paused(house: House, queue: str, *, paused: bool) -> bool:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return (pause if paused else resume)(session, queue, ADA)


def cancelled(house: House, *job_ids: str) -> dict[str, str]:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return cancel(session, job_ids, ADA)


def replayed(house: House, *job_ids: str) -> dict[str, str]:
    with house.runtime.transaction(Step.PUBLISH) as session:
        return dead.replay(session, job_ids, ADA)


def found(house: House, **wanted: Any) -> list[str]:
    with house.runtime.reading() as session:
        return [row.id for row in dead.find(session, dead.Filter(**wanted), MOST)]


def kill(house: House, job_id: str, verdict: str | None = "safe_to_replay") -> None:
    """Let a job be dead."""
    house.force(
        "UPDATE jobs SET state = 'dead', verdict = :verdict, finished_at = clock_timestamp(), lease_until = NULL,"
        ' last_error = \'{"type": "GaveUp", "message": "100%_sure"}\' WHERE id = :id',
        verdict=verdict,
        id=job_id,
    )


# Pausing


def test_a_paused_queue_gives_out_nothing_and_a_resumed_one_all_that_waited(house: House) -> None:
    job_id, _ = accepted(house)
    assert set_paused(house, "payments", paused=True)
    assert house.claim(job_id) == []
    assert "its queue is paused" in house.create(job_id).reason
    house.sql("UPDATE jobs SET published_at = NULL")
    assert published(house) == []
    assert set_paused(house, "payments", paused=False)
    assert published(house) == [job_id]
    assert len(house.claim(job_id)) == 1
    assert [action[:2] for action in actions(house)] == [("pause", "payments"), ("resume", "payments")]


def test_a_hint_that_was_swallowed_during_a_pause_is_sent_again_at_once(house: House) -> None:
    job_id, _ = accepted(house)  # published at intake
    set_paused(house, "payments", paused=True)
    assert house.create(job_id).state == "ready"
    set_paused(house, "payments", paused=False)
    assert published(house) == [job_id]


def test_a_long_backlog_is_published_again_in_steps_that_come_to_an_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = sorted(accepted(house)[0] for _ in range(5))
    monkeypatch.setattr("workers.jobs.pause.STEP", 2)
    set_paused(house, "payments", paused=True)
    set_paused(house, "payments", paused=False)
    steps = []
    for _ in range(3):
        steps.append(sorted(published(house)))  # as a dispatcher does meanwhile
        with house.runtime.transaction(Step.PUBLISH) as session:
            publish_again(session, "payments")
    assert [len(step) for step in steps] == [2, 2, 1]
    assert sorted(job_id for step in steps for job_id in step) == ids
    assert published(house) == []


def test_hints_of_a_paused_queue_are_not_taken_for_lost(house: House) -> None:
    accepted(house)
    set_paused(house, "payments", paused=True)
    house.sql("UPDATE jobs SET published_at = clock_timestamp() - interval '1 hour'")
    with house.runtime.transaction(Step.REPUBLISH) as session:
        assert mark_lost(session, grace=1.0, empty_queues=["payments"], most=MOST) == []


def test_a_pause_stops_its_own_queue_only(house: House) -> None:
    set_paused(house, "webhooks", paused=True)
    job_id, _ = accepted(house)
    assert len(house.claim(job_id)) == 1


def test_what_runs_when_its_queue_is_paused_goes_on_to_its_end(shop: House) -> None:
    job_id, _ = accepted(shop)
    gateway = shop.runtime.stripe

    def pausing(**arguments: Any) -> Any:
        set_paused(shop, "payments", paused=True)
        return gateway.create_payment_intent(**arguments)

    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=pausing)
    assert shop.create(job_id, shop.with_stripe(fake)).state == "done"


def test_pausing_twice_and_resuming_twice_is_said_and_recorded_once(house: House) -> None:
    assert [set_paused(house, "refunds", paused=True) for _ in range(2)] == [True, False]
    assert [set_paused(house, "refunds", paused=False) for _ in range(2)] == [True, False]
    assert len(actions(house)) == 2


def test_a_pause_holds_the_jobs_of_its_queue_that_are_in_quarantine_as_well(house: House) -> None:
    job_id, _ = accepted(house)
    house.sql("UPDATE jobs SET quarantined = TRUE, queue = 'quarantine', published_at = NULL")
    set_paused(house, "payments", paused=True)
    assert published(house) == []
    assert house.claim(job_id) == []
    set_paused(house, "payments", paused=False)
    assert published(house) == [job_id]


# Cancelling


def test_a_job_that_asked_for_nothing_yet_is_cancelled_with_its_payment(house: House) -> None:
    job_id, payment_id = accepted(house)
    assert cancelled(house, job_id) == {job_id: "ready"}
    assert published(house) == [job_id]
    assert house.create(job_id).state == "cancelled"
    assert house.job(job_id)["problem"]["code"] == "cancelled"
    assert house.payment(payment_id)["status"] == "canceled"
    assert actions(house) == [("cancel", job_id, "ada", "the test says so")]


def test_a_job_in_a_paused_queue_can_be_cancelled(house: House) -> None:
    job_id, _ = accepted(house)
    set_paused(house, "payments", paused=True)
    cancelled(house, job_id)
    assert published(house) == [job_id]
    assert house.create(job_id).state == "cancelled"


def test_a_job_that_waits_for_its_next_attempt_is_cancelled_at_once(house: House) -> None:
    job_id, _ = accepted(house)
    assert house.create(job_id).state == "waiting"  # nobody stands in for Stripe
    house.sql("UPDATE jobs SET next_run_at = clock_timestamp() + interval '5 minutes'")
    assert cancelled(house, job_id) == {job_id: "waiting"}
    assert house.create(job_id).state == "cancelled"


def test_an_attempt_under_way_when_it_is_cancelled_goes_on_and_is_done_if_it_can(shop: House) -> None:
    job_id, _ = accepted(shop)
    gateway = shop.runtime.stripe

    def cancelling(**arguments: Any) -> Any:
        assert cancelled(shop, job_id) == {job_id: "running"}
        return gateway.create_payment_intent(**arguments)

    fake = FakeStripe(create_customer=gateway.create_customer, create_payment_intent=cancelling)
    assert shop.create(job_id, shop.with_stripe(fake)).state == "done"


def test_an_attempt_under_way_asks_nothing_more_a_second_after_it_was_cancelled(house: House) -> None:
    job_id, _ = accepted(house)
    now = [100.0]
    [job] = house.claim(job_id)
    attempt = Attempt(house.runtime, job, 115.0, monotonic=lambda: now[0])
    cancelled(house, job_id)
    now[0] += ROW_SECONDS
    with pytest.raises(errors.CancelAskedError, match=job_id):
        attempt.before_call()


def test_the_last_look_of_a_cancelled_job_may_ask(house: House) -> None:
    job_id, _ = accepted(house)
    cancelled(house, job_id)
    now = [100.0]
    [job] = house.claim(job_id)
    attempt = Attempt(house.runtime, job, 115.0, monotonic=lambda: now[0])
    now[0] += ROW_SECONDS
    attempt.before_call()


def test_a_payment_cancelled_during_a_slow_call_is_never_made(shop: House, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id, payment_id = accepted(shop)
    gateway = shop.runtime.stripe
    monkeypatch.setattr("workers.jobs.attempt.ROW_SECONDS", 0.0)  # as if the call below had taken so long

    def cancelling(**arguments: Any) -> Any:
        made = gateway.create_customer(**arguments)
        cancelled(shop, job_id)
        return made

    fake = FakeStripe(create_customer=cancelling)  # and no way to make a PaymentIntent
    assert shop.create(job_id, shop.with_stripe(fake)).state == "checking"
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '1 hour'")
    assert shop.create_again(job_id).state == "cancelled"
    assert shop.payment(payment_id)["status"] == "canceled"


def test_an_attempt_under_way_when_it_is_cancelled_is_not_followed_by_another(house: House) -> None:
    job_id, _ = accepted(house)

    def cancelling(**_: Any) -> Any:
        cancelled(house, job_id)
        raise errors.StripeUnavailableError

    assert house.create(job_id, house.with_stripe(FakeStripe(create_customer=cancelling))).state == "waiting"
    assert published(house) == [job_id]
    assert house.create(job_id).state == "cancelled"


def test_what_stripe_may_have_done_is_looked_for_before_a_job_is_cancelled(shop: House, stripe: Simulator) -> None:
    job_id, _ = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": True})
    assert shop.create(job_id).state == "checking"
    assert cancelled(shop, job_id) == {job_id: "checking"}
    assert shop.create(job_id).state == "done"


def test_a_doubtful_job_is_cancelled_once_stripe_has_shown_nothing_for_long_enough(
    shop: House, stripe: Simulator
) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": False})
    shop.create(job_id)
    cancelled(shop, job_id)
    assert shop.create(job_id).state == "checking"
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds'")
    assert shop.create_again(job_id).state == "cancelled"
    assert shop.payment(payment_id)["status"] == "canceled"


def test_an_old_doubt_is_looked_into_often_once_it_is_to_be_cancelled(shop: House, stripe: Simulator) -> None:
    job_id, _ = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": False})
    shop.create(job_id)
    shop.age_intent(job_id, 10 * 3600.0)
    cancelled(shop, job_id)
    assert shop.create(job_id).state == "checking"
    assert shop.one("SELECT next_run_at < clock_timestamp() + interval '2 seconds' AS soon FROM jobs")["soon"]


def test_an_event_of_a_batch_can_be_cancelled(house: House) -> None:
    entry = event_entry(b"[]", "evt_1")
    house.take_in(entry)
    cancelled(house, entry.job_id)
    assert [result.state for result in house.handle(entry.job_id)] == ["cancelled"]


def test_an_event_that_was_taken_in_late_is_cancelled_like_any_other(house: House) -> None:
    """Nothing is asked of Stripe for an event, so there is nothing to be in doubt of."""
    entry = event_entry(b"[]", "evt_1")
    house.take_in(entry)
    house.sql("UPDATE jobs SET accepted_at = accepted_at - interval '10 minutes'")
    cancelled(house, entry.job_id)
    assert [result.state for result in house.handle(entry.job_id)] == ["cancelled"]


@pytest.mark.parametrize("state", ["done", "refused", "dead", "cancelled"])
def test_what_is_over_cannot_be_cancelled(house: House, state: str) -> None:
    job_id, _ = accepted(house)
    house.force("UPDATE jobs SET state = :state", state=state)
    assert cancelled(house, job_id, "job_none") == {}
    assert actions(house) == []


# Dead letters


def test_dead_letters_are_found_by_what_they_are(house: House) -> None:
    first, _ = accepted(house)
    second, _ = accepted(house)
    accepted(house)
    kill(house, first)
    kill(house, second, "never")
    assert found(house) == [first, second]
    assert found(house, queue="payments", kind="payments.create", verdict="never") == [second]
    assert found(house, queue="webhooks") == []
    assert found(house, ids=[first]) == [first]
    assert found(house, error="100%_SURE") == [first, second]
    assert found(house, error="100xxsure") == []
    with house.runtime.reading() as session:
        assert dead.count(session, dead.Filter()) == {"safe_to_replay": 1, "never": 1}
        [row] = dead.find(session, dead.Filter(), 1)
        assert [each.id for each in dead.find(session, dead.Filter(), MOST, after=row)] == [second]
        assert dead.find(session, dead.Filter(since=row.finished_at, until=row.finished_at), MOST) == []


def test_a_safe_replay_begins_anew_under_a_key_that_was_never_used(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": False})
    shop.create(job_id)
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '121 seconds'")
    assert shop.create_again(job_id).state == "dead"
    assert shop.payment(payment_id)["status"] == "failed"
    assert replayed(shop, job_id) == {job_id: "ready"}
    row = shop.job(job_id)
    assert (row["replays"], row["attempts"], row["intent"], row["intent_generation"]) == (1, 0, None, 2)
    assert (row["verdict"], row["problem"], row["finished_at"]) == (None, None, None)
    assert shop.create(job_id).state == "done"
    assert shop.payment(payment_id)["status"] == "requires_confirmation"
    [action] = shop.sql("SELECT * FROM operator_actions")
    assert (action["action"], action["subject"], action["details"]["verdict"]) == ("replay", job_id, "safe_to_replay")


def test_a_replay_that_must_reconcile_first_looks_before_it_asks(shop: House, stripe: Simulator) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": True})
    shop.create(job_id)
    kill(shop, job_id, "reconcile_first")
    assert replayed(shop, job_id) == {job_id: "checking"}
    stripe.faults({"do": "latency", "ms": 1, "match": {**INTENTS, "times": 0}})
    assert shop.create(job_id).state == "done"
    assert stripe.control("GET", "faults")["faults"][1]["matched"] == 0
    assert shop.payment(payment_id)["status"] == "requires_confirmation"


def test_a_replay_after_stripe_forgot_the_key_sends_nothing(shop: House, stripe: Simulator) -> None:
    job_id, _ = accepted(shop)
    stripe.faults({"do": "drop", "match": INTENTS, "effect": False})
    shop.create(job_id)
    kill(shop, job_id, "reconcile_first")
    shop.age_intent(job_id, 25 * 3600.0)
    replayed(shop, job_id)
    stripe.faults({"do": "latency", "ms": 1, "match": {**INTENTS, "times": 0}})
    assert shop.create(job_id).state == "checking"
    assert stripe.control("GET", "faults")["faults"][1]["matched"] == 0


def test_what_must_never_be_replayed_is_not(house: House) -> None:
    job_id, _ = accepted(house)
    kill(house, job_id, "never")
    assert replayed(house, job_id) == {}
    assert house.job(job_id)["state"] == "dead"


def test_a_dead_letter_without_a_verdict_is_looked_into_first(house: House) -> None:
    job_id, _ = accepted(house)
    kill(house, job_id, None)
    assert replayed(house, job_id) == {job_id: "checking"}


@pytest.mark.parametrize("state", ["ready", "done", "running"])
def test_only_what_is_dead_is_replayed_or_discarded(house: House, state: str) -> None:
    job_id, _ = accepted(house)
    if state == "running":
        house.claim(job_id)
    else:
        house.force("UPDATE jobs SET state = :state", state=state)
    assert replayed(house, job_id) == {}
    with house.runtime.transaction(Step.PUBLISH) as session:
        assert dead.discard(session, [job_id], ADA) == []
    assert actions(house) == []


def test_a_job_that_died_in_quarantine_runs_there_again_and_its_next_death_is_the_end(house: House) -> None:
    job_id, _ = accepted(house)
    for _ in range(4):
        house.claim(job_id)
        house.lapse(job_id)
        house.rescue()
    assert house.create(job_id).state == "dead"
    replayed(house, job_id)
    assert house.job(job_id)["queue"] == "quarantine"
    assert house.claim(job_id)
    house.lapse(job_id)
    house.rescue()
    assert house.create(job_id).state == "dead"


def test_a_discarded_letter_is_out_of_the_way_and_stays_on_record(house: House) -> None:
    job_id, _ = accepted(house)
    kill(house, job_id)
    with house.runtime.transaction(Step.PUBLISH) as session:
        assert dead.discard(session, [job_id], ADA) == [job_id]
    assert found(house) == []
    assert replayed(house, job_id) == {}
    assert house.job(job_id)["last_error"]["type"] == "GaveUp"
    assert actions(house) == [("discard", job_id, "ada", "the test says so")]


# The record


@pytest.mark.parametrize(
    "statement", ["UPDATE operator_actions SET reason = 'another'", "DELETE FROM operator_actions"]
)
def test_nobody_changes_what_was_recorded(house: House, statement: str) -> None:
    set_paused(house, "payments", paused=True)
    with pytest.raises(DBAPIError, match="append-only"):
        house.sql(statement)


def test_nothing_is_done_without_a_reason(house: House) -> None:
    with pytest.raises(DBAPIError), house.runtime.transaction(Step.PUBLISH) as session:
        pause(session, "payments", Operator("ada", ""))
    assert house.sql("SELECT * FROM queues") == []
