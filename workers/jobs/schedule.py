"""Schedules: each slot of scheduled work is given out once, as a job, whatever the number of dispatchers.

The slot's row and its job are one transaction. A dispatcher that finds another at it leaves it alone for this round.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.schedules import SLOTS_KEPT, Plan
from config.settings import WorkerSettings
from models.base import one_of
from models.client import OWN_CLIENT
from models.job import JOB_MOVES
from models.schedule import Schedule
from tasks.contracts.job import Contract
from workers.jobs.follow_up import enqueue

OVER = (*sorted(JOB_MOVES.final), "dead")  # a job that is one of these does not do its slot's work any more
_NOW = "EXTRACT(EPOCH FROM clock_timestamp())"
_SLOT = f"to_timestamp(floor({_NOW} / :period) * :period)"
# The newest slot alone: older ones that were missed stay missed. None while the last one's job is still to be done: a
# long outage of the workers leaves one job, not one for each slot.
_DUE = text(f"""
WITH newest AS (SELECT {_SLOT} AS slot)
SELECT slot FROM newest
WHERE clock_timestamp() - slot <= make_interval(secs => :made_up_within)
    AND NOT EXISTS (SELECT FROM schedules WHERE name = :name AND schedules.slot >= newest.slot)
    AND NOT EXISTS (
        SELECT FROM (SELECT job_id FROM schedules WHERE name = :name ORDER BY slot DESC LIMIT 1) AS last
        JOIN jobs ON jobs.id = last.job_id WHERE NOT {one_of("jobs.state", OVER)}
    )
""")  # noqa: S608 - built of constants
_MINE = text("SELECT pg_try_advisory_xact_lock(hashtextextended('tollgate schedules', 0))")
_FORGET = text("""
DELETE FROM schedules WHERE name = :name AND slot < clock_timestamp() - make_interval(secs => :kept)
    AND slot < (SELECT max(slot) FROM schedules WHERE name = :name)
""")
_STANDING = text(f"""
SELECT last.slot AS last, last.job_id AS job, jobs.state, {_SLOT} + make_interval(secs => :period) AS next
FROM (VALUES (1)) AS one (row)
LEFT JOIN (SELECT * FROM schedules WHERE name = :name ORDER BY slot DESC LIMIT 1) AS last ON TRUE
LEFT JOIN jobs ON jobs.id = last.job_id
""")  # noqa: S608 - built of constants


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a piece of scheduled work stands: its last slot and that one's job, None before the first, and the next."""

    plan: Plan
    last: dt.datetime | None
    job: str | None
    state: str | None
    next: dt.datetime


def due(session: Session, plan: Plan) -> dt.datetime | None:
    """Return the slot of a piece of scheduled work that is to be given out now, if there is one."""
    parameters = {"name": plan.name, "period": plan.period, "made_up_within": plan.made_up_within}
    slot: dt.datetime | None = session.execute(_DUE, parameters).scalar_one_or_none()
    return slot


def give_out(
    session: Session, settings: WorkerSettings, plan: Plan, work: Callable[[dt.datetime], Contract]
) -> str | None:
    """Give out the slot that is due, if there is one; return its job's id.

    Args:
        session: its commit gives the slot out.
        settings: seal the job.
        plan: the piece of scheduled work.
        work: returns the job that does a slot's work.
    """
    if not session.execute(_MINE).scalar_one():
        return None
    slot = due(session, plan)  # again, since another may have given it out meanwhile
    if slot is None:
        return None
    job_id = enqueue(
        session,
        settings,
        work(slot),
        client_id=OWN_CLIENT,
        subject_id=plan.name,
        slot=slot.isoformat(),
        request_id="",
    )
    session.execute(insert(Schedule).values(name=plan.name, slot=slot, job_id=job_id).on_conflict_do_nothing())
    session.execute(_FORGET, {"name": plan.name, "kept": SLOTS_KEPT})
    return job_id


def standing(session: Session, plan: Plan) -> Standing:
    """Return where a piece of scheduled work stands."""
    row = session.execute(_STANDING, {"name": plan.name, "period": plan.period}).one()
    return Standing(plan, row.last, row.job, row.state, row.next)
