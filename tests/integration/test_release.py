"""Jobs that a stopping process gives back, and attempts that have run for too long."""

from __future__ import annotations

import dataclasses

import pytest

from config.errors import AttemptTooLongError, FenceLostError
from tasks.contracts.steps import Step
from tests.builders.entries import payment_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.integration.test_worker_process import made
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import done, finish
from workers.jobs.release import release

pytestmark = pytest.mark.servers


def give_back(house: House, worker: str) -> list[str]:
    with house.runtime.transaction(Step.RELEASE) as session:
        return release(session, worker)


def claimed(house: House, worker: str) -> Attempt:
    entry = payment_entry()
    house.take_in(entry)
    [job] = house.claim(entry.job_id, worker=worker)
    return Attempt(house.runtime, job, lease_ends=float("inf"))


def test_a_worker_gives_back_its_own_running_jobs_and_nobody_elses(house: House) -> None:
    mine, theirs, over = claimed(house, "me"), claimed(house, "they"), claimed(house, "me")
    with house.runtime.transaction(Step.OUTCOME) as session:
        finish(session, over.job, done(lambda _: None))
    assert give_back(house, "me") == [mine.job.id]
    row = house.job(mine.job.id)
    assert (row["state"], row["rescues"], row["attempts"], row["lease_until"]) == ("ready", 0, 0, None)
    assert [each["outcome"] for each in house.attempts(mine.job.id)] == ["released"]
    assert (house.job(theirs.job.id)["state"], house.job(over.job.id)["state"]) == ("running", "done")


def test_a_job_of_which_stripe_may_have_been_asked_is_checked_first(house: House) -> None:
    attempt = claimed(house, "me")
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, "pay_x/create/1", 1)
    give_back(house, "me")
    assert house.job(attempt.job.id)["state"] == "checking"


def test_the_late_attempt_can_write_nothing_any_more(house: House) -> None:
    attempt = claimed(house, "me")
    give_back(house, "me")
    with pytest.raises(FenceLostError), attempt.transaction(Step.INTENT):
        pytest.fail("it may still write")
    with pytest.raises(FenceLostError), house.runtime.transaction(Step.OUTCOME) as session:
        finish(session, attempt.job, done(lambda _: None))
    with pytest.raises(FenceLostError):
        dataclasses.replace(attempt, lease_ends=0.0).before_call()
    assert len(house.claim(attempt.job.id, worker="another")) == 1
    with pytest.raises(FenceLostError), attempt.transaction(Step.INTENT):
        pytest.fail("it may still write")


def test_a_row_that_is_about_to_get_its_outcome_is_left_to_it(house: House) -> None:
    attempt = claimed(house, "me")
    with attempt.transaction(Step.OUTCOME) as session:
        assert give_back(house, "me") == []
        finish(session, attempt.job, done(lambda _: None))
    assert house.job(attempt.job.id)["state"] == "done"


def test_an_attempt_that_has_run_for_too_long_asks_stripe_nothing_more(house: House) -> None:
    now = [100.0]
    attempt = dataclasses.replace(claimed(house, "me"), monotonic=lambda: now[0])
    longest = house.runtime.settings.jobs.longest_attempt
    now[0] += longest - 0.1
    attempt.before_call()
    now[0] += 0.1
    with pytest.raises(AttemptTooLongError, match=f"the limit is {longest:g} s"):
        attempt.before_call()


def test_a_job_whose_attempt_took_too_long_is_done_by_another_and_never_failed(shop: House, stripe: Simulator) -> None:
    entry = payment_entry()
    shop.take_in(entry)
    hasty = shop.changed(longest_attempt=0.0)
    assert shop.create(entry.job_id, hasty).state == "checking"
    assert shop.job(entry.job_id)["last_error"]["type"] == "AttemptTooLongError"
    assert shop.payment(entry.subject_id)["status"] == "checking"
    assert shop.create_again(entry.job_id, hasty).state == "checking"
    assert shop.create_again(entry.job_id).state == "done"
    assert made(stripe, entry.subject_id) == 1
