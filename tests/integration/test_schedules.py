"""Schedules: each slot is given out once, as a job, whoever is there and whoever was not."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest

from config.schedules import INVARIANTS, MINUTE, PLANS, SLOTS_KEPT, Plan
from tasks.contracts.invariants import CheckInvariants
from tasks.contracts.steps import Step
from tasks.schedules import WORK, give_out_slots
from tests.builders.command_line import runner
from tests.builders.house import House, Row
from tests.builders.settings import complete_settings, put
from workers.jobs.schedule import due, give_out

pytestmark = pytest.mark.servers
HOURLY = Plan("hourly", period=60 * MINUTE, made_up_within=60 * MINUTE)


def given(house: House) -> list[Row]:
    return house.sql("SELECT * FROM schedules ORDER BY slot")


def give(house: House, plan: Plan = HOURLY) -> str | None:
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        return give_out(session, house.runtime.settings, plan, lambda _: CheckInvariants())


def end(house: House, state: str = "done") -> None:
    """Let all jobs be over."""
    house.force("UPDATE jobs SET state = :state, finished_at = clock_timestamp()", state=state)


def put_back(house: House, periods: float, plan: Plan = HOURLY) -> None:
    """Let the slots that were given out be so many periods older."""
    house.sql("UPDATE schedules SET slot = slot - make_interval(secs => :s)", s=periods * plan.period)


def test_every_plan_has_its_work_and_a_name_of_its_own() -> None:
    assert [plan.name for plan in PLANS] == list(WORK)
    assert all(0 < plan.made_up_within <= plan.period for plan in PLANS)


def test_a_slot_is_a_multiple_of_the_period_by_postgresqls_clock(house: House) -> None:
    before = house.one("SELECT clock_timestamp() AS now")["now"]
    job_id = give(house)
    [row] = given(house)
    assert row["job_id"] == job_id
    assert row["slot"].timestamp() % HOURLY.period == 0
    assert dt.timedelta(0) <= before - row["slot"] < dt.timedelta(seconds=HOURLY.period)
    job = house.job(row["job_id"])
    assert (job["client_id"], job["kind"], job["state"], job["published_at"]) == (
        "tollgate",
        "invariants.check",
        "ready",
        None,
    )


def test_a_slot_is_given_out_once_even_when_its_job_is_over(house: House) -> None:
    assert give(house) is not None
    end(house)
    assert give(house) is None
    assert len(given(house)) == 1


def test_dispatchers_at_once_give_a_slot_out_once(house: House) -> None:
    barrier = threading.Barrier(6)

    def dispatch() -> None:
        barrier.wait()
        give_out_slots(house.runtime)

    threads = [threading.Thread(target=dispatch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    give_out_slots(house.runtime)  # what each has left to another
    assert sorted(row["name"] for row in given(house)) == sorted(plan.name for plan in PLANS)
    assert len(house.jobs("invariants.check")) == len(house.jobs("events.heal")) == 1


def test_who_finds_another_dispatcher_at_it_does_not_wait(house: House) -> None:
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        assert give_out(session, house.runtime.settings, HOURLY, lambda _: CheckInvariants()) is not None
        assert give(house) is None  # the other holds its transaction open
    assert len(given(house)) == 1


def test_after_an_outage_only_the_newest_slot_is_made_up(house: House) -> None:
    give(house)
    end(house)
    put_back(house, periods=7)
    assert give(house) is not None
    assert give(house) is None
    assert [row["slot"] for row in given(house)][1] - given(house)[0]["slot"] == dt.timedelta(hours=7)


def test_a_slot_whose_time_is_long_past_is_left_out(house: House) -> None:
    year = 366 * 24 * 60 * MINUTE
    with house.runtime.reading() as session:
        assert due(session, Plan("yearly", period=50 * year, made_up_within=0.001)) is None
        assert due(session, Plan("yearly", period=50 * year, made_up_within=50 * year)) is not None


@pytest.mark.parametrize("state", ["ready", "waiting", "checking"])
def test_no_slot_is_given_out_while_the_last_ones_job_is_still_to_be_done(house: House, state: str) -> None:
    give(house)
    house.force("UPDATE jobs SET state = :state", state=state)
    put_back(house, periods=1)
    assert give(house) is None
    end(house, "dead")
    assert give(house) is not None


def test_slots_of_long_ago_are_forgotten_but_never_the_last_one(house: House) -> None:
    give(house)
    end(house)
    put_back(house, periods=2 * SLOTS_KEPT / HOURLY.period)
    give(house)
    assert len(given(house)) == 1
    end(house)
    other = dataclasses.replace(HOURLY, name="other")
    give(house, other)
    assert {row["name"] for row in given(house)} == {"hourly", "other"}


def test_the_list_shows_the_last_slot_what_became_of_it_and_the_next(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=house.runtime.settings.database.url))
    run = runner(capsys)
    before = run("schedules", "list", "--json").json[0]
    assert (before["name"], before["last"], before["job"], before["state"]) == ("invariants", None, None, None)
    give_out_slots(house.runtime)
    after = run("schedules", "list", "--json").json[0]
    [row] = house.sql("SELECT * FROM schedules WHERE name = :name", name=INVARIANTS.name)
    assert (after["job"], after["state"]) == (row["job_id"], "ready")
    assert after["last"] == row["slot"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert dt.datetime.fromisoformat(after["next"]).timestamp() % INVARIANTS.period == 0
    assert after["next"] > after["last"]
    assert "invariants" in run("schedules", "list").out
