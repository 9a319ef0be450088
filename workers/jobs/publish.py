"""Publish: due jobs are marked, committed, and only then hinted at; a lost hint is sent again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.queues import QUEUES
from workers.jobs.due import DUE


@dataclass(frozen=True, slots=True)
class Hint:
    """One job that a worker should look at."""

    job_id: str
    kind: str
    queue: str


_PUBLISH = text(f"""
WITH due AS (
    SELECT id FROM jobs WHERE {DUE} AND published_at IS NULL
    ORDER BY next_run_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET published_at = clock_timestamp(), publish_number = nextval('job_publish_numbers')
FROM due WHERE jobs.id = due.id RETURNING jobs.id, jobs.kind, jobs.queue
""")  # noqa: S608 - built of constants

# A hint is lost when its queue has moved past it: a later one was claimed, or the queue is empty. A long backlog that
# merely waits is neither, so it is never multiplied. A hint that is sent again has a number below zero: its job may be
# claimed by the first hint, late and not lost, which would prove nothing of what stands before the second.
_REPUBLISH = text(f"""
WITH moved AS (
    SELECT all_queues.queue,
        (SELECT max(claimed_publish) FROM jobs WHERE jobs.queue = all_queues.queue) AS number
    FROM unnest(CAST(:queues AS text[])) AS all_queues (queue)
), lost AS (
    SELECT jobs.id FROM jobs LEFT JOIN moved ON moved.queue = jobs.queue
    WHERE {DUE} AND published_at < clock_timestamp() - make_interval(secs => :grace)
      AND (jobs.queue = ANY(:empty) OR abs(publish_number) < moved.number)
    ORDER BY next_run_at LIMIT :most FOR UPDATE OF jobs SKIP LOCKED
)
UPDATE jobs SET published_at = clock_timestamp(), publish_number = -nextval('job_publish_numbers')
FROM lost WHERE jobs.id = lost.id RETURNING jobs.id, jobs.kind, jobs.queue
""")  # noqa: S608 - built of constants

_OVERDUE = text(f"""
SELECT DISTINCT queue FROM jobs WHERE {DUE} AND published_at < clock_timestamp() - make_interval(secs => :grace)
""")  # noqa: S608 - built of constants

_UNPUBLISH = text("UPDATE jobs SET published_at = NULL WHERE id = ANY(:ids) AND published_at IS NOT NULL")


def mark_due(session: Session, most: int) -> list[Hint]:
    """Mark jobs whose time has come as published; the caller commits, then sends."""
    return [Hint(row.id, row.kind, row.queue) for row in session.execute(_PUBLISH, {"most": most})]


def overdue_queues(session: Session, grace: float) -> list[str]:
    """Return the queues that hold jobs published more than `grace` seconds ago and never claimed."""
    return list(session.scalars(_OVERDUE, {"grace": grace}))


def mark_lost(session: Session, *, grace: float, empty_queues: Sequence[str], most: int) -> list[Hint]:
    """Mark jobs whose hint was lost as published again; the caller commits, then sends."""
    parameters = {"grace": grace, "empty": list(empty_queues), "most": most, "queues": list(QUEUES)}
    rows = session.execute(_REPUBLISH, parameters)
    return [Hint(row.id, row.kind, row.queue) for row in rows]


def unmark(session: Session, hints: Iterable[Hint]) -> None:
    """Take marks back whose hints could not be sent, so that they are sent at the next round."""
    session.execute(_UNPUBLISH, {"ids": [hint.job_id for hint in hints]})
