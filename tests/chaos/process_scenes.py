"""Scenes of what processes do beside jobs: schedules, housekeeping, pulses, and their stop."""

from __future__ import annotations

import secrets

from redis import Redis

from config.errors import SettingsError
from tasks import upkeep
from tasks.contracts.shows import ShowViews
from tasks.contracts.steps import Step
from tasks.intake import GROUP
from tests.builders.entries import LETTERS, entry_of
from tests.chaos import roles
from tests.chaos.case import Case, Scene, dispatcher_case, worker_case
from tests.chaos.oracle import unsettled
from tests.chaos.stage import JOURNAL, Stage
from workers.jobs.forget import KEPT_SECONDS
from workers.redis_safety import check_redis

RECONCILED = """
INSERT INTO reconciliations (id, started_by, since, until, movements, breaks, remainder, report, finished_at)
VALUES ('rec_1', 'schedule', '2026-01-01', clock_timestamp() + interval '1 day', 0, 0, '{}', '{}', clock_timestamp())
"""


def _missed(stage: Stage) -> None:
    """Let a client have asked for a payment that there is not, and a worker have said so."""
    unknown = "pay_" + secrets.token_hex(13).translate(LETTERS)
    entry = entry_of(ShowViews(unknown), client="site", route="views", key=unknown, subject=unknown)
    stage.house.take_in(entry)
    stage.house.show(entry.job_id)


def giving_out(stage: Stage) -> Case:
    """A slot of scheduled work has begun. What Stripe shows is of all cases: all of it has been compared already."""
    posted = stage.posted_and_done()
    house = stage.house
    house.sql("INSERT INTO event_cursors (name, through) VALUES ('stripe', clock_timestamp() + interval '1 day')")
    house.sql(RECONCILED)

    def wrong() -> list[str]:
        slots = house.sql("SELECT slot FROM schedules WHERE name = 'invariants'")
        jobs = [each["state"] for each in house.jobs("invariants.check")]
        doubled = [] if len(slots) == len(jobs) >= 1 else [f"{len(slots)} slots were given out as {len(jobs)} jobs"]
        undone = [f"the job of a slot is {state}" for state in jobs if state != "done"]
        return [*unsettled(stage, posted), *doubled, *undone]

    case = dispatcher_case(stage, posted, [upkeep.SCHEDULES], help=lambda: stage.take_in(upkeep.SCHEDULES))
    case.wrong = wrong
    return case


def keeping_house(stage: Stage) -> Case:
    """An entry waits while the dispatcher sees to what has no hurry; one that is gone left its name in the group."""
    stage.take_in()
    _missed(stage)
    stage.time.advance(KEPT_SECONDS + 1)
    # Redis before 7.2 makes no consumer of a reader that found nothing.
    stage.house.runtime.redis.xgroup_createconsumer(stage.house.keyspace.journal, GROUP, "gone")
    posted = stage.post()
    case = dispatcher_case(stage, posted, [*stage.periods])
    case.arguments["idle_reader_ms"] = -1
    return case


def stopping(stage: Stage) -> Case:
    """A worker is told to stop in mid-job."""
    posted = stage.post()
    stage.take_in()
    stage.house.drop_messages("payments")
    case = worker_case(stage, posted, "payments")
    case.role, case.arguments = "stopping worker", {"job_id": posted.job_id}
    return case


def _is_durable(redis: Redis) -> bool:
    try:
        check_redis(redis, "live")
    except SettingsError:
        return False
    return True


def beating(stage: Stage, *, live: bool = False) -> Case:
    """A dispatcher gives its pulse, while an entry waits."""
    case = dispatcher_case(stage, stage.post(), JOURNAL)
    case.role, case.arguments = "heart", {"live": live}
    case.help = lambda: roles.heart(stage.plan, live=live)  # the heart of the dispatcher that is left
    redis, keyspace, payment = stage.house.runtime.redis, stage.house.keyspace, case.wrong

    def wrong() -> list[str]:
        missing = [] if redis.exists(keyspace.dispatcher_pulse) else ["there is no pulse"]
        if live and bool(redis.exists(keyspace.durable)) is not _is_durable(redis):
            missing.append("live money may go where it may not, or the other way round")
        return [*payment(), *missing]

    case.wrong = wrong
    return case


def vouching(stage: Stage) -> Case:
    """The same of a live one, which first says whether this Redis is fit for live money."""
    return beating(stage, live=True)


def sharing(stage: Stage) -> Case:
    """A worker tells the others of the breaker, while a hint waits."""
    posted = stage.post()
    stage.take_in()
    case = worker_case(stage, posted, "payments")
    case.role, case.arguments = "sharing worker", {}
    return case


SCENES = (
    Scene("stopping", (Step.RELEASE,), stopping),
    Scene("beating", (Step.PULSE,), beating),
    Scene("vouching", (Step.VOUCH,), vouching),
    Scene("sharing", (Step.SHARE_BREAKER,), sharing),
    Scene("giving out", (Step.GIVE_OUT,), giving_out),
    Scene("keeping house", (Step.PRESENCE, Step.TRIM, Step.FORGET_READER, Step.FORGET_JOBS), keeping_house),
)
