"""Publish: due jobs are marked, committed, and only then hinted at; a lost hint is sent again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.queues import QUEUES
from models.base import one_of
from models.job import DUE_STATES
from workers.jobs.due import DUE, RUNNABLE


@dataclass(frozen=True, slots=True)
class Hint:
    """One job that a worker should look at."""

    job_id: str
    kind: str
    queue: str


# Each queue by itself: its index ends the search after `most` rows, however long its backlog or that of a paused one
# is, and no queue waits behind another's backlog.
_DUE_STATE = one_of("state", DUE_STATES)
_OPEN = "names.queue NOT IN (SELECT queues.name FROM queues WHERE queues.paused_at IS NOT NULL)"

_PUBLISH = text(f"""
WITH waiting AS (
    SELECT head.id FROM unnest(CAST(:queues AS text[])) AS names (queue), LATERAL (
        SELECT id FROM jobs
        WHERE jobs.queue = names.queue AND {_DUE_STATE} AND published_at IS NULL AND next_run_at <= clock_timestamp()
          AND {RUNNABLE}
        ORDER BY next_run_at LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS head
    WHERE {_OPEN}
), cancelled AS (
    SELECT id FROM jobs
    WHERE cancel_asked_at IS NOT NULL AND {DUE} AND published_at IS NULL
    ORDER BY next_run_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET published_at = clock_timestamp(), publish_number = nextval('job_publish_numbers')
FROM (SELECT id FROM waiting UNION SELECT id FROM cancelled) AS due
WHERE jobs.id = due.id RETURNING jobs.id, jobs.kind, jobs.queue
""")  # noqa: S608 - built of constants

# A hint is lost when its queue has moved past it: a later one was claimed, or the queue is empty. A long backlog that
# merely waits is neither, so it is never multiplied. A hint that is sent again has a number below zero: its job may be
# claimed by the first hint, late and not lost, which would prove nothing of what stands before the second.
_OVERDUE = f"{DUE} AND published_at < clock_timestamp() - make_interval(secs => :grace)"
_MOVED = "(SELECT max(passed.claimed_publish) FROM jobs AS passed WHERE passed.queue = jobs.queue)"
_REPUBLISH = text(f"""
WITH passed AS (
    SELECT head.id FROM unnest(CAST(:queues AS text[])) AS names (queue), LATERAL (
        SELECT id FROM jobs
        WHERE jobs.queue = names.queue AND {_OVERDUE} AND abs(publish_number) < (
            SELECT max(claimed.claimed_publish) FROM jobs AS claimed WHERE claimed.queue = names.queue
        )
        ORDER BY abs(publish_number) LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS head
    WHERE {_OPEN}
), swallowed AS (
    SELECT head.id FROM unnest(CAST(:empty AS text[])) AS names (queue), LATERAL (
        SELECT id FROM jobs WHERE jobs.queue = names.queue AND {_OVERDUE}
        ORDER BY abs(publish_number) LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS head
    WHERE {_OPEN}
), cancelled AS (
    SELECT id FROM jobs
    WHERE cancel_asked_at IS NOT NULL AND {_OVERDUE}
      AND (jobs.queue = ANY(:empty) OR abs(publish_number) < {_MOVED})
    ORDER BY next_run_at LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET published_at = clock_timestamp(), publish_number = -nextval('job_publish_numbers')
FROM (SELECT id FROM passed UNION SELECT id FROM swallowed UNION SELECT id FROM cancelled) AS lost
WHERE jobs.id = lost.id RETURNING jobs.id, jobs.kind, jobs.queue
""")  # noqa: S608 - built of constants

# The oldest of each queue: EXISTS would be planned as one walk over all queues.
_OVERDUE_QUEUES = text(f"""
SELECT names.queue FROM unnest(CAST(:queues AS text[])) AS names (queue), LATERAL (
    SELECT id FROM jobs WHERE jobs.queue = names.queue AND {_OVERDUE} ORDER BY abs(publish_number) LIMIT 1
) AS oldest
WHERE {_OPEN}
UNION SELECT queue FROM jobs WHERE cancel_asked_at IS NOT NULL AND {_OVERDUE}
""")  # noqa: S608 - built of constants

_UNPUBLISH = text("UPDATE jobs SET published_at = NULL WHERE id = ANY(:ids) AND published_at IS NOT NULL")


def mark_due(session: Session, most: int) -> list[Hint]:
    """Mark jobs whose time has come as published, at most so many of each queue; the caller commits, then sends."""
    parameters = {"queues": list(QUEUES), "most": most}
    return [Hint(row.id, row.kind, row.queue) for row in session.execute(_PUBLISH, parameters)]


def overdue_queues(session: Session, grace: float) -> list[str]:
    """Return the queues that hold jobs published more than `grace` seconds ago and never claimed."""
    return list(session.scalars(_OVERDUE_QUEUES, {"queues": list(QUEUES), "grace": grace}))


def mark_lost(session: Session, *, grace: float, empty_queues: Sequence[str], most: int) -> list[Hint]:
    """Mark jobs whose hint was lost as published again, at most so many of each queue and way of losing them.

    The caller commits, then sends.
    """
    parameters = {"grace": grace, "empty": list(empty_queues), "most": most, "queues": list(QUEUES)}
    rows = session.execute(_REPUBLISH, parameters)
    return [Hint(row.id, row.kind, row.queue) for row in rows]


def unmark(session: Session, hints: Iterable[Hint]) -> None:
    """Take marks back whose hints could not be sent, so that they are sent at the next round."""
    session.execute(_UNPUBLISH, {"ids": [hint.job_id for hint in hints]})
