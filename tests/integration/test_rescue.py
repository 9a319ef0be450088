"""Rescue counts only deaths that are certain, and whoever kills its workers ends up alone in quarantine."""

from __future__ import annotations

import dataclasses

import pytest

from config.queues import QUARANTINE
from tasks.contracts.steps import Step
from tasks.publisher import send
from tasks.upkeep import CUT_OFF_SECONDS, Rescuer, be_seen
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House
from tests.builders.stripe_events import event
from workers.jobs.presence import PRESENCE_SECONDS, forget_old
from workers.jobs.publish import Hint, mark_due
from workers.jobs.rescue import CutOff, Rescued, rescue
from workers.runtime import create_runtime

pytestmark = pytest.mark.servers
MOST = 100


def taken(house: House) -> str:
    entry = payment_entry()
    house.take_in(entry)
    return entry.job_id


def rescued(house: House, cut_off: CutOff | None = None) -> Rescued:
    with house.runtime.transaction(Step.RESCUE) as session:
        [only] = rescue(session, MOST, max_rescues=house.runtime.settings.jobs.max_rescues, cut_off=cut_off)
        return only


def die(house: House, job_id: str, times: int = 1) -> None:
    """Let the job's worker die as often."""
    for _ in range(times):
        assert house.claim(job_id)
        house.lapse(job_id)
        house.rescue()


def test_the_death_of_a_worker_is_counted(house: House) -> None:
    job_id = taken(house)
    house.claim(job_id)
    house.lapse(job_id)
    assert rescued(house) == Rescued(job_id, worker_died=True, quarantined=False)
    assert house.job(job_id)["rescues"] == 1


def test_a_job_is_given_back_even_if_nothing_is_known_of_its_attempt(house: House) -> None:
    job_id = taken(house)
    house.claim(job_id)
    house.lapse(job_id)
    house.sql("DELETE FROM attempts")
    assert rescued(house) == Rescued(job_id, worker_died=False, quarantined=False)


def test_no_two_lives_of_a_process_share_a_name(house: House) -> None:
    """As in a container that starts again: the same host name, the same process id."""
    again = create_runtime(house.runtime.settings, "test")
    again.close()
    assert again.name != house.runtime.name


def test_a_process_seen_after_the_lease_ran_out_did_not_die(house: House) -> None:
    job_id = taken(house)
    [_] = house.claim(job_id, worker=house.runtime.name)
    house.lapse(job_id)
    be_seen(house.runtime)
    assert not rescued(house).worker_died
    assert (house.job(job_id)["rescues"], house.job(job_id)["state"]) == (0, "ready")


@pytest.mark.parametrize(("silent", "died"), [(PRESENCE_SECONDS, False), (2 * PRESENCE_SECONDS, True)])
def test_a_process_whose_next_sign_is_not_due_when_the_lease_runs_out_is_only_slow(
    house: House, silent: float, died: bool
) -> None:
    job_id = taken(house)
    house.claim(job_id, worker=house.runtime.name)
    be_seen(house.runtime)
    house.lapse(job_id)
    house.sql(
        "UPDATE processes SET seen_at = (SELECT lease_until FROM jobs) - make_interval(secs => :silent)", silent=silent
    )
    assert rescued(house).worker_died is died


def test_a_process_last_seen_before_the_lease_ran_out_did_die(house: House) -> None:
    job_id = taken(house)
    house.claim(job_id, worker=house.runtime.name)
    be_seen(house.runtime)
    house.sql("UPDATE processes SET seen_at = clock_timestamp() - interval '10 seconds'")
    house.lapse(job_id)
    assert rescued(house).worker_died


def test_nothing_counts_that_a_restart_of_postgresql_cut_short(house: House) -> None:
    job_id = taken(house)
    house.claim(job_id)
    house.lapse(job_id)
    house.sql("UPDATE attempts SET started_at = pg_postmaster_start_time() - interval '1 second'")
    assert not rescued(house).worker_died


@pytest.mark.parametrize(
    ("began_ago", "ended_ago", "counts"), [(30.0, 0.0, False), (30.0, 20.0, True), (0.5, 0.0, True)]
)
def test_nothing_counts_that_ran_out_while_the_dispatcher_was_cut_off(
    house: House, began_ago: float, ended_ago: float, counts: bool
) -> None:
    job_id = taken(house)
    house.claim(job_id)
    house.lapse(job_id)
    assert rescued(house, CutOff(began_ago, ended_ago)).worker_died is counts


def test_a_dispatcher_notices_by_its_own_silence_that_it_was_cut_off(house: House) -> None:
    now = [100.0]
    rescuer = Rescuer(house.runtime, monotonic=lambda: now[0])
    rescuer.give_back()
    job_id = taken(house)
    house.claim(job_id)
    house.lapse(job_id)
    now[0] += CUT_OFF_SECONDS + 5.0
    rescuer.give_back()
    assert (house.job(job_id)["state"], house.job(job_id)["rescues"]) == ("ready", 0)
    now[0] += 1.0
    house.sql("UPDATE jobs SET next_run_at = clock_timestamp()")
    house.claim(job_id)
    house.sql("UPDATE attempts SET started_at = clock_timestamp() + interval '1 second' WHERE fence = 2")
    house.lapse(job_id)
    rescuer.give_back()
    assert house.job(job_id)["rescues"] == 1


def test_after_three_deaths_a_job_runs_alone_in_quarantine_and_may_still_be_done(house: House) -> None:
    job_id = taken(house)
    die(house, job_id, 3)
    row = house.job(job_id)
    assert (row["rescues"], row["quarantined"], row["queue"], row["state"]) == (3, True, QUARANTINE, "ready")
    with house.runtime.transaction(Step.PUBLISH) as session:
        assert mark_due(session, MOST) == [Hint(job_id, "payments.create", QUARANTINE)]
    [job] = house.claim(job_id)
    assert job.quarantined
    assert house.create(job_id).state == "running"


def test_a_job_that_fails_in_quarantine_without_killing_anything_stays_there_and_is_spoken_of_in_its_own_queue(
    house: House,
) -> None:
    job_id = taken(house)
    die(house, job_id, 3)
    assert house.create(job_id).state == "waiting"  # nobody stands in for Stripe
    assert house.job(job_id)["queue"] == QUARANTINE
    house.sql("UPDATE jobs SET expires_at = clock_timestamp()")
    assert house.create_again(job_id).state == "dead"
    assert house.job(job_id)["queue"] == "payments"


def test_a_death_in_quarantine_is_the_end(house: House) -> None:
    job_id = taken(house)
    die(house, job_id, 4)
    result = house.create(job_id)
    row = house.job(job_id)
    assert (result.state, row["verdict"], row["queue"]) == ("dead", "safe_to_replay", "payments")
    assert "alone in quarantine" in result.reason


def test_jobs_in_quarantine_are_hinted_at_one_by_one(house: House) -> None:
    hints = [Hint(f"job_{number}", "stripe.event", QUARANTINE) for number in range(3)]
    assert send(house.app, hints) == []
    assert sorted(house.hinted(QUARANTINE)) == [["job_0"], ["job_1"], ["job_2"]]


def test_the_innocent_of_a_batch_whose_worker_dies_are_done_one_by_one_in_quarantine(house: House) -> None:
    posted = [
        event_entry(event("customer.created", {"id": f"cus_{number}", "object": "customer"})) for number in (1, 2)
    ]
    house.take_in(*posted)
    ids = [entry.job_id for entry in posted]
    for _ in range(3):
        assert len(house.claim(*ids)) == 2
        for job_id in ids:
            house.lapse(job_id)
        house.rescue()
    assert [house.handle(job_id)[0].state for job_id in ids] == ["done", "done"]


def test_processes_that_are_gone_for_a_week_are_forgotten(house: House) -> None:
    be_seen(house.runtime)
    be_seen(dataclasses.replace(house.runtime, name="gone"))
    house.sql("UPDATE processes SET seen_at = clock_timestamp() - interval '8 days' WHERE name = 'gone'")
    with house.runtime.transaction(Step.PRESENCE) as session:
        forget_old(session)
    assert [row["name"] for row in house.sql("SELECT name FROM processes")] == [house.runtime.name]
