"""Claim, fence, lease, rescue, outcome: a job has one owner at a time, and every end is written once or not at all."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from config import errors
from config.errors import DatabaseAwayError, FenceLostError
from tasks.contracts.payments import CreatePayment, RefreshPayment
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, payment_entry, payment_request
from tests.builders.house import CREATE, House
from tests.builders.worker import JOBS
from workers.jobs.attempt import Attempt
from workers.jobs.batch import BatchService, run_batch
from workers.jobs.claim import states
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done, finish
from workers.jobs.row import JobRow
from workers.jobs.run import Result, Service, run_job
from workers.runtime import Runtime
from workers.services.payments import settle_create

pytestmark = pytest.mark.servers
OPERATION = "pay_1/create/1"
Perform = Callable[[Attempt, CreatePayment], Outcome]


def taken(house: House, **changes: Any) -> tuple[str, str]:
    """Take a payment in; return the ids of its job and of itself."""
    entry = payment_entry(**changes)
    house.take_in(entry)
    return entry.job_id, entry.subject_id


def run(house: House, job_id: str, perform: Perform, runtime: Runtime | None = None) -> Result:
    return run_job(runtime or house.runtime, job_id, Service(CreatePayment, perform, settle_create))


def raising(error: Exception) -> Perform:
    def perform(_attempt: Attempt, _request: CreatePayment) -> Outcome:
        raise error

    return perform


def intend(house: House, job_id: str) -> None:
    """Let an earlier attempt have committed its intent."""
    house.sql("UPDATE jobs SET intent = :name, intent_at = clock_timestamp() WHERE id = :id", name=OPERATION, id=job_id)


def seconds_until_due(house: House, job_id: str) -> float:
    row = house.one(
        "SELECT EXTRACT(EPOCH FROM next_run_at - updated_at)::float AS wait FROM jobs WHERE id = :id", id=job_id
    )
    return float(row["wait"])


# Claim


def test_two_workers_that_want_one_job_make_one_claim(house: House) -> None:
    job_id, _ = taken(house)
    won: list[int] = []
    threads = [threading.Thread(target=lambda: won.append(len(house.claim(job_id)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(won) == 1
    assert (house.job(job_id)["fence"], len(house.attempts(job_id))) == (1, 1)


def test_two_batches_that_overlap_claim_every_job_once(house: House) -> None:
    ids = [taken(house)[0] for _ in range(40)]
    won: list[list[JobRow]] = []
    threads = [
        threading.Thread(target=lambda asked=asked: won.append(house.claim(*asked))) for asked in (ids, ids[::-1])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(job.id for jobs in won for job in jobs) == sorted(ids)


def test_a_job_whose_time_has_not_come_is_not_claimed(house: House) -> None:
    job_id, _ = taken(house)
    house.sql("UPDATE jobs SET next_run_at = clock_timestamp() + interval '1 minute'")
    assert house.claim(job_id) == []


@pytest.mark.parametrize("state", ["done", "refused", "dead", "cancelled"])
def test_a_job_that_is_over_is_not_claimed_and_its_state_is_told_again(house: House, state: str) -> None:
    job_id, _ = taken(house)
    house.force("UPDATE jobs SET state = :state", state=state)
    result = run(house, job_id, raising(AssertionError("must not run")))
    assert (result.state, house.job(job_id)["fence"]) == (state, 0)


def test_a_hint_at_a_job_that_does_not_exist_is_harmless(house: House) -> None:
    assert run(house, "job_none", raising(AssertionError("must not run"))).state == "unknown"


def test_a_claim_shows_what_the_attempt_must_know(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    intend(house, entry.job_id)
    house.age_intent(entry.job_id, 200.0)
    [job] = house.claim(entry.job_id)
    assert (job.id, job.subject_id, job.request_id) == (entry.job_id, entry.subject_id, entry.request_id)
    assert (job.fence, job.attempts, job.intent, job.expired) == (1, 1, OPERATION, False)
    assert job.intent_age is not None
    assert 200 <= job.intent_age < 230


# Lease and rescue


def test_a_worker_that_dies_before_its_intent_leaves_a_ready_job(house: House) -> None:
    job_id, _ = taken(house)
    house.claim(job_id)
    assert house.rescue() == []
    house.lapse(job_id)
    assert house.rescue() == [job_id]
    row = house.job(job_id)
    assert (row["state"], row["rescues"], row["lease_until"], row["published_at"]) == ("ready", 1, None, None)
    assert house.attempts(job_id)[0]["outcome"] == "rescued"


def test_a_worker_that_dies_after_its_intent_leaves_a_job_to_check(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id)
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, OPERATION, 1)
    house.lapse(job_id)
    house.rescue()
    assert house.job(job_id)["state"] == "checking"


def test_an_intent_whose_transaction_was_lost_is_none(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id)

    def die() -> None:
        with attempt.transaction(Step.INTENT) as session:
            attempt.intend(session, OPERATION, 1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    house.lapse(job_id)
    house.rescue()
    assert house.job(job_id)["state"] == "ready"


def test_two_dispatchers_rescue_a_job_once(house: House) -> None:
    ids = [taken(house)[0] for _ in range(20)]
    house.claim(*ids)
    house.sql("UPDATE jobs SET lease_until = clock_timestamp() - interval '1 second'")
    rescued: list[str] = []
    threads = [threading.Thread(target=lambda: rescued.extend(house.rescue())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(rescued) == sorted(ids)
    assert {row["rescues"] for row in house.jobs("payments.create")} == {1}


def test_a_repeated_intent_keeps_the_age_of_the_first_and_a_new_generation_starts_anew(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id)
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, OPERATION, 1)
    house.age_intent(job_id, 100.0)
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, OPERATION, 1)
    age = "SELECT EXTRACT(EPOCH FROM clock_timestamp() - intent_at)::float AS age FROM jobs"
    assert house.one(age)["age"] >= 100
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, "pay_1/create/2", 2)
    assert house.one(age)["age"] < 50
    assert house.job(job_id)["intent_generation"] == 2


def test_the_lease_is_renewed_before_a_call_that_it_would_not_outlast(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id, lease_ends=100.0)
    attempt.monotonic = lambda: 99.0
    before = house.job(job_id)["lease_until"]
    attempt.before_call()
    assert house.job(job_id)["lease_until"] > before
    assert attempt.lease_ends == 99.0 + JOBS.lease


def test_a_lease_that_outlasts_the_call_is_left_alone(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id, lease_ends=100.0)
    attempt.monotonic = lambda: 100.0 - house.runtime.stripe.longest_call() - 0.1
    before = house.job(job_id)["lease_until"]
    attempt.before_call()
    assert house.job(job_id)["lease_until"] == before


def test_an_attempt_that_was_taken_over_makes_no_further_call(house: House) -> None:
    job_id, _ = taken(house)
    attempt = house.attempt(job_id, lease_ends=0.0)
    house.lapse(job_id)
    house.rescue()
    with pytest.raises(FenceLostError):
        attempt.before_call()
    house.claim(job_id)
    with pytest.raises(FenceLostError):
        attempt.before_call()
    with pytest.raises(FenceLostError), attempt.transaction(Step.INTENT):
        raise AssertionError("must not be entered")


def test_leases_run_by_the_clock_of_postgresql_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose own clock is a year ahead neither claims, keeps nor loses a job by it."""
    job_id, _ = taken(house)
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    [job] = house.claim(job_id)
    assert not job.expired
    assert house.rescue() == []
    left = house.one("SELECT EXTRACT(EPOCH FROM lease_until - clock_timestamp())::float AS s FROM jobs")["s"]
    assert 0 < left <= 15


# Outcomes


def test_an_outcome_is_written_with_its_attempt_and_all_that_belongs_to_it(house: House) -> None:
    job_id, _ = taken(house)

    def write(session: Session) -> None:
        session.execute(text("INSERT INTO clients (id, name) VALUES ('made', 'made')"))

    result = run(house, job_id, lambda _attempt, _request: done(write, request_id="req_9"))
    row, [attempt] = house.job(job_id), house.attempts(job_id)
    assert (result.state, row["state"], row["lease_until"]) == ("done", "done", None)
    assert row["finished_at"] is not None
    assert (attempt["outcome"], attempt["stripe_request_id"], attempt["worker"]) == (
        "done",
        "req_9",
        house.runtime.name,
    )
    assert attempt["ended_at"] is not None
    assert house.sql("SELECT 1 FROM clients WHERE id = 'made'")


@pytest.mark.parametrize("again", [False, True], ids=["rescued", "claimed anew"])
def test_a_late_worker_writes_nothing_at_all(house: House, again: bool) -> None:
    job_id, payment_id = taken(house)

    def perform(_attempt: Attempt, _request: CreatePayment) -> Outcome:
        house.lapse(job_id)
        house.rescue()
        if again:
            house.claim(job_id)
        return done(lambda session: session.execute(text("INSERT INTO clients (id, name) VALUES ('late', 'l')")))  # type: ignore[arg-type,return-value]  # what it returns is of no interest

    result = run(house, job_id, perform)
    assert result.state == "running"
    assert house.job(job_id)["state"] == ("running" if again else "ready")
    assert house.sql("SELECT 1 FROM clients WHERE id = 'late'") == []
    assert house.sql("SELECT 1 FROM payments WHERE id = :id", id=payment_id) == []
    assert house.attempts(job_id)[0]["outcome"] == "rescued"


def test_a_late_failure_settles_nothing(house: House) -> None:
    job_id, payment_id = taken(house)

    def perform(_attempt: Attempt, _request: CreatePayment) -> Outcome:
        house.lapse(job_id)
        house.rescue()
        raise errors.StripeInvalidError

    assert run(house, job_id, perform).state == "running"
    assert house.job(job_id)["state"] == "ready"
    assert house.sql("SELECT 1 FROM payments WHERE id = :id", id=payment_id) == []


def test_an_outcome_whose_write_fails_is_not_half_written(house: House) -> None:
    job_id, _ = taken(house)

    def write(session: Session) -> None:
        session.execute(text("INSERT INTO clients (id, name) VALUES ('half', 'h')"))
        session.execute(text("SELECT 1 / 0"))

    assert run(house, job_id, lambda _attempt, _request: done(write)).state == "waiting"
    row = house.job(job_id)
    assert (row["state"], row["last_error"]["type"]) == ("waiting", "DataError")
    assert house.sql("SELECT 1 FROM clients WHERE id = 'half'") == []


@dataclasses.dataclass(frozen=True)
class Expected:
    """What an error makes of a job that was never asked of Stripe, and of one that was."""

    fresh: str
    asked: str
    status: Mapping[str, str]


WAITS = Expected("waiting", "checking", {"waiting": "processing", "checking": "checking"})
UNKNOWN = Expected("checking", "checking", {"checking": "checking"})
REFUSED = Expected("refused", "refused", {"refused": "failed"})
DEAD = Expected("dead", "dead", {"dead": "checking"})
TABLE: dict[type[Exception], Expected] = {
    errors.StripeDeclinedError: REFUSED,
    errors.StripeInvalidError: REFUSED,
    errors.StripeOutcomeUnknownError: UNKNOWN,
    errors.StripeUnavailableError: WAITS,
    errors.StripeRateLimitedError: WAITS,
    errors.BreakerOpenError: WAITS,
    errors.StripeMisconfiguredError: WAITS,
    errors.StripeKeyReusedError: DEAD,
    errors.StripeError: WAITS,
    errors.SealBrokenError: WAITS,
    errors.KeyringError: WAITS,
    errors.ContractError: WAITS,
    errors.IllegalMoveError: WAITS,
    errors.RedisAwayError: WAITS,
    errors.AttemptTooLongError: WAITS,
    errors.CancelAskedError: WAITS,
    errors.DuplicatePaymentError: Expected("refused", "checking", {"refused": "failed", "checking": "checking"}),
    errors.WebsiteError: WAITS,
    errors.WebsiteAddressError: WAITS,
    errors.WebsitePausedError: WAITS,
    errors.SettingsError: WAITS,
    errors.TollgateError: WAITS,
    errors.JournalRejectedError: WAITS,
    errors.JournalNotReadableYetError: WAITS,
    ValueError: WAITS,
    RecursionError: WAITS,
}
# These end an attempt without an outcome, or come before one begins.
NOT_OF_ATTEMPTS = {errors.FenceLostError, errors.DatabaseAwayError, errors.StoppingError}


def test_every_error_of_the_tree_has_its_row_in_the_table() -> None:
    tree = {error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)}
    telling = {error for error in tree if issubclass(error, errors.JobEndedError)}
    assert tree - telling - NOT_OF_ATTEMPTS == {error for error in TABLE if error.__module__ == "config.errors"}


@pytest.mark.parametrize("asked", [False, True], ids=["never asked", "asked before"])
@pytest.mark.parametrize("error", TABLE, ids=lambda error: error.__name__)
def test_an_error_makes_of_a_job_and_its_payment_what_it_proves(
    shared_house: House, error: type[Exception], asked: bool
) -> None:
    house = shared_house
    job_id, payment_id = taken(house)
    if asked:
        intend(house, job_id)
    result = run(house, job_id, raising(error("what went wrong")))
    expected = TABLE[error]
    state = expected.asked if asked else expected.fresh
    row = house.job(job_id)
    assert (result.state, row["state"]) == (state, state)
    assert house.payment(payment_id)["status"] == expected.status[state]
    assert row["last_error"]["type"] == error.__name__
    assert house.attempts(job_id)[0]["outcome"] == state
    assert row["attempts"] == (0 if error is errors.BreakerOpenError else 1)
    assert row["snoozes"] == (1 if error is errors.BreakerOpenError else 0)
    assert row["version"] == 2


@pytest.mark.parametrize("error", [FenceLostError(), DatabaseAwayError()], ids=lambda error: type(error).__name__)
def test_an_attempt_that_lost_its_job_or_its_database_leaves_it_to_the_rescue(house: House, error: Exception) -> None:
    job_id, _ = taken(house)
    assert run(house, job_id, raising(error)).state == "running"
    assert house.job(job_id)["state"] == "running"


def test_an_error_that_is_not_ours_is_described_without_its_words(house: House) -> None:
    job_id, _ = taken(house)
    run(house, job_id, raising(ValueError("ada@example.org, 4242424242424242")))
    row = house.job(job_id)
    assert "ada@" not in str(row["last_error"])
    assert "4242" not in str(row["first_error"])


def test_the_first_and_the_last_error_are_kept(house: House) -> None:
    job_id, _ = taken(house)
    for message in ("first", "second", "third"):
        house.make_due(job_id)
        run(house, job_id, raising(errors.StripeUnavailableError(message)))
    row = house.job(job_id)
    assert (row["first_error"]["message"], row["last_error"]["message"], row["attempts"]) == ("first", "third", 3)


def test_stripes_retry_after_is_honoured(house: House) -> None:
    job_id, _ = taken(house)
    run(house, job_id, raising(errors.StripeRateLimitedError(retry_after=33.0)))
    assert 32.9 < seconds_until_due(house, job_id) < 34


def test_a_wrong_key_is_tried_again_once_a_minute(house: House) -> None:
    job_id, _ = taken(house)
    run(house, job_id, raising(errors.StripeMisconfiguredError()))
    assert 59.9 < seconds_until_due(house, job_id) < 61


@pytest.mark.parametrize(
    ("age", "pause"), [(0, 1), (9, 1), (30, 5), (300, 30), (3000, 120), (20 * 3600, 900), (30 * 3600, 3600)]
)
def test_the_older_a_doubt_the_rarer_it_is_looked_into(house: House, age: float, pause: float) -> None:
    job_id, _ = taken(house)
    intend(house, job_id)
    house.age_intent(job_id, age)
    for chance, least, most in ((0.0, pause / 2, pause / 2 + 0.2), (0.999, pause * 0.99, pause + 0.2)):
        runtime = dataclasses.replace(house.runtime, random=lambda chance=chance: chance)
        house.make_due(job_id)
        assert run(house, job_id, raising(errors.StripeOutcomeUnknownError()), runtime).state == "checking"
        assert least - 0.1 <= seconds_until_due(house, job_id) <= most


def test_waits_grow_with_attempts_up_to_the_cap(house: House) -> None:
    job_id, _ = taken(house)
    runtime = dataclasses.replace(house.changed(backoff_base=1.0, backoff_cap=6.0), random=lambda: 0.999)
    waits = []
    for _ in range(5):
        house.make_due(job_id)
        run(house, job_id, raising(errors.StripeUnavailableError()), runtime)
        waits.append(round(seconds_until_due(house, job_id)))
    assert waits == [1, 2, 4, 6, 6]


def test_an_open_breaker_snoozes_a_job_without_counting_an_attempt(house: House) -> None:
    job_id, _ = taken(house)
    for _ in range(4):
        house.make_due(job_id)
        run(house, job_id, raising(errors.BreakerOpenError(retry_after=9.0)))
        assert seconds_until_due(house, job_id) >= 8.9
    row = house.job(job_id)
    assert (row["attempts"], row["snoozes"], row["fence"]) == (0, 4, 4)


# Too late


def expire(house: House, job_id: str) -> None:
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '1 second' WHERE id = :id", id=job_id)


def test_a_job_too_old_that_stripe_was_never_asked_for_is_dead_and_failed(house: House) -> None:
    job_id, payment_id = taken(house)
    expire(house, job_id)
    result = run(house, job_id, raising(AssertionError("must not run")))
    row = house.job(job_id)
    assert (result.state, row["state"], row["verdict"]) == ("dead", "dead", "safe_to_replay")
    assert row["problem"]["code"] == "gave_up"
    assert row["finished_at"] is not None
    assert house.payment(payment_id)["status"] == "failed"


def test_a_job_too_old_that_stripe_may_have_been_asked_for_is_looked_into_for_a_week_and_never_called_failed(
    house: House,
) -> None:
    job_id, payment_id = taken(house)
    intend(house, job_id)
    expire(house, job_id)
    assert run(house, job_id, raising(errors.StripeUnavailableError())).state == "checking"
    house.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '8 days'")
    house.make_due(job_id)
    run(house, job_id, raising(AssertionError("must not run")))
    assert house.job(job_id)["verdict"] == "reconcile_first"
    assert house.payment(payment_id)["status"] == "checking"


def test_an_attempt_that_had_no_effect_leaves_no_intent(house: House) -> None:
    """What waits was never asked for, so that it can be cancelled, and asked for, without a look."""
    job_id, _ = taken(house)

    def perform(attempt: Attempt, _request: CreatePayment) -> Outcome:
        with attempt.transaction(Step.INTENT) as session:
            attempt.intend(session, OPERATION, 1)
        raise errors.StripeUnavailableError

    assert run(house, job_id, perform).state == "waiting"
    assert (house.job(job_id)["intent"], house.job(job_id)["intent_at"]) == (None, None)


@pytest.mark.parametrize("payload", [b"", b"\x01\x02e1garbage-that-no-key-opens"], ids=["none", "broken"])
def test_a_payload_that_cannot_be_opened_waits_for_an_operator_but_not_for_ever(house: House, payload: bytes) -> None:
    job_id, _ = taken(house)
    house.sql("UPDATE jobs SET payload = :payload", payload=payload)
    assert run(house, job_id, raising(AssertionError("must not run"))).state == "waiting"
    house.make_due(job_id)
    expire(house, job_id)
    assert run(house, job_id, raising(AssertionError("must not run"))).state == "dead"
    assert house.job(job_id)["verdict"] == "safe_to_replay"


def test_a_payload_moved_from_another_row_is_not_opened(house: House) -> None:
    (victim, _), (other, _) = taken(house), taken(house)
    house.sql(
        "UPDATE jobs SET payload = (SELECT payload FROM jobs WHERE id = :other) WHERE id = :victim",
        other=other,
        victim=victim,
    )
    run(house, victim, raising(AssertionError("must not run")))
    assert house.job(victim)["last_error"]["type"] == "SealBrokenError"


# Batches

Work = Callable[[JobRow], Outcome]


def batch(house: House, ids: list[str], work: Work, runtime: Runtime | None = None) -> dict[str, str]:
    def perform(_session: Session, _runtime: Runtime, items: Any) -> list[Outcome]:
        return [work(job) for job, _ in items]

    results = run_batch(runtime or house.runtime, ids, BatchService(CreatePayment, perform))
    return {result.job_id: result.state for result in results}


def test_one_bad_job_of_a_batch_is_found_and_put_aside_while_the_others_go_on(house: House) -> None:
    ids = sorted(taken(house)[0] for _ in range(11))
    bad = ids[7]

    def work(job: JobRow) -> Outcome:
        if job.id == bad:
            raise ValueError("poison")
        return done(lambda session: None)  # noqa: ARG005 - an outcome's write takes the session

    assert batch(house, ids, work) == {job_id: "waiting" if job_id == bad else "done" for job_id in ids}
    assert {row["state"] for row in house.jobs("payments.create") if row["id"] != bad} == {"done"}
    assert {row["fence"] for row in house.jobs("payments.create")} == {1}


def test_a_job_of_a_batch_that_was_taken_over_stops_only_itself(house: House) -> None:
    ids = sorted(taken(house)[0] for _ in range(4))
    gone = ids[1]

    def work(job: JobRow) -> Outcome:
        if job.id == gone and house.job(gone)["state"] == "running":
            house.lapse(gone)
            house.rescue()
        return done(lambda session: None)  # noqa: ARG005 - an outcome's write takes the session

    assert batch(house, ids, work) == {job_id: "running" if job_id == gone else "done" for job_id in ids}
    assert house.job(gone)["state"] == "ready"


def test_a_job_of_a_batch_that_is_too_old_is_dead_while_the_others_go_on(house: House) -> None:
    ids = sorted(taken(house)[0] for _ in range(3))
    expire(house, ids[0])
    told = batch(house, ids, lambda _: done(lambda session: None))  # noqa: ARG005 - as above
    assert told == {ids[0]: "dead", ids[1]: "done", ids[2]: "done"}


def test_a_batch_of_nothing_but_old_hints_does_nothing(house: House) -> None:
    job_id, _ = taken(house)
    house.force("UPDATE jobs SET state = 'done'")
    assert batch(house, [job_id, "job_none"], lambda _: done(lambda session: None)) == {}  # noqa: ARG005 - as above


# Follow-up jobs


def test_a_follow_up_is_left_once_for_each_slot_and_only_with_its_transaction(house: House) -> None:
    settings, contract = house.runtime.settings, RefreshPayment("pay_1")

    def leave(slot: str) -> str:
        with house.runtime.transaction(Step.OUTCOME) as session:
            return enqueue(
                session, settings, contract, client_id="site", subject_id="pay_1", slot=slot, request_id="r", delay=9.0
            )

    assert leave("a") == leave("a") != leave("b")
    rows = house.jobs("payments.refresh")
    assert len(rows) == 2
    assert rows[0]["published_at"] is None
    assert 8 < (rows[0]["next_run_at"] - rows[0]["accepted_at"]).total_seconds() < 10

    def die() -> None:
        with house.runtime.transaction(Step.OUTCOME) as session:
            enqueue(session, settings, contract, client_id="site", subject_id="pay_1", slot="c", request_id="r")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        die()
    assert len(house.jobs("payments.refresh")) == 2


# The database


@pytest.mark.parametrize("code", ["57P01", "53100", "53200", "08006"])
def test_a_database_that_is_shutting_down_or_out_of_resources_is_away(house: House, code: str) -> None:
    with pytest.raises(DatabaseAwayError), house.runtime.transaction(Step.OUTCOME) as session:
        session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))


@pytest.mark.parametrize("code", ["57014", "55P03", "40P01", "23505", "22012"])
def test_a_statement_that_failed_for_itself_is_no_sign_of_a_database_away(house: House, code: str) -> None:
    with pytest.raises(DBAPIError), house.runtime.transaction(Step.OUTCOME) as session:
        session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{code}'; END $$"))


def test_a_session_that_was_cut_off_is_a_database_away(house: House) -> None:
    def ask() -> None:
        with house.runtime.transaction(Step.OUTCOME) as session:
            pid = session.execute(text("SELECT pg_backend_pid()")).scalar_one()
            house.sql("SELECT pg_terminate_backend(:pid)", pid=pid)
            session.execute(text("SELECT 1"))

    with pytest.raises(DatabaseAwayError):
        ask()


def test_a_pool_without_a_free_connection_is_a_database_away(house: House) -> None:
    held = [house.runtime.engine.connect() for _ in range(8)]
    try:
        with pytest.raises(DatabaseAwayError), house.runtime.transaction(Step.OUTCOME) as session:
            session.execute(text("SELECT 1"))
    finally:
        for connection in held:
            connection.close()


def test_a_finish_by_an_old_fence_is_refused(house: House) -> None:
    job_id, _ = taken(house)
    [job] = house.claim(job_id)
    with pytest.raises(FenceLostError), house.runtime.transaction(Step.OUTCOME) as session:
        finish(session, dataclasses.replace(job, fence=job.fence - 1), done(lambda _: None))
    assert house.job(job_id)["state"] == "running"


def test_states_are_told_of_those_jobs_that_exist(house: House) -> None:
    job_id, _ = taken(house)
    with house.runtime.transaction(Step.OUTCOME) as session:
        assert states(session, [job_id, "job_none"]) == {job_id: ("ready", False)}


def test_a_job_without_a_payment_yet_has_one_after_its_first_unhappy_end(house: House) -> None:
    """The website can ask for its payment, whatever became of the job."""
    entry = payment_entry()
    house.take_in(entry)
    run_job(house.runtime, entry.job_id, CREATE)
    assert house.payment(entry.subject_id)["amount"] == payment_request("k").amount


def test_an_event_that_is_unreadable_is_dead_at_once(house: House) -> None:
    entry = event_entry(b"[]", "evt_1")
    house.take_in(entry)
    [result] = house.handle(entry.job_id)
    assert (result.state, house.job(entry.job_id)["verdict"]) == ("dead", "never")


def test_a_hint_of_another_kind_claims_nothing(house: House) -> None:
    job_id, _ = taken(house)
    assert house.claim(job_id, kind="stripe.event") == []
    assert house.job(job_id)["state"] == "ready"
