"""Pausing queues: while one is paused none of its jobs is published or claimed; what runs goes on to its end."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from models.job import DUE_STATES
from workers.jobs.due import WAITS
from workers.jobs.operator import Operator

_PAUSE = text("""
INSERT INTO queues (name, paused_at) VALUES (:name, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET paused_at = EXCLUDED.paused_at WHERE queues.paused_at IS NULL RETURNING name
""")
_RESUME = text("UPDATE queues SET paused_at = NULL WHERE name = :name AND paused_at IS NOT NULL RETURNING name")
_PAUSED = text("SELECT FROM queues WHERE name = :name AND paused_at IS NOT NULL")
# Hints that arrived meanwhile found nothing to claim and are gone.
_PUBLISH_AGAIN = text(f"""
WITH swallowed AS (
    SELECT id FROM jobs
    WHERE queue = :name AND {one_of("state", DUE_STATES)} AND published_at < (
        SELECT max(acted_at) FROM operator_actions WHERE subject = :name AND action = 'resume'
    )
    ORDER BY abs(publish_number) LIMIT :most FOR UPDATE SKIP LOCKED
)
UPDATE jobs SET published_at = NULL FROM swallowed WHERE jobs.id = swallowed.id RETURNING jobs.id
""")  # noqa: S608 - built of constants
_EXPIRED = text(f"""
SELECT count(*) FROM jobs WHERE queue = :name AND expires_at <= clock_timestamp() AND {WAITS}
""")  # noqa: S608 - built of constants
STEP = 2_000  # rows that are published again in one transaction, well within a statement's time limit


def pause(session: Session, queue: str, operator: Operator) -> bool:
    """Pause a queue from the commit on; return whether it was not paused before."""
    if session.execute(_PAUSE, {"name": queue}).first() is None:
        return False
    operator.record(session, "pause", {queue: {}})
    return True


def resume(session: Session, queue: str, operator: Operator) -> bool:
    """Let a queue go on from the commit on; return whether it was paused.

    The first of its jobs are published again by this; `publish_again` is for the others, if it was paused for long.
    """
    if session.execute(_RESUME, {"name": queue}).first() is None:
        return False
    operator.record(session, "resume", {queue: {}})
    publish_again(session, queue)
    return True


def publish_again(session: Session, queue: str) -> int:
    """Let the dispatcher publish again what it published before the queue was resumed; return how many, at most `STEP`.

    Without this the rest would be found to be lost, a few hundred at a time.
    """
    return len(session.execute(_PUBLISH_AGAIN, {"name": queue, "most": STEP}).all())


def expired(session: Session, queue: str) -> int:
    """Return how many jobs of a queue are too old to be begun any more."""
    return int(session.execute(_EXPIRED, {"name": queue}).scalar_one())


def is_paused(session: Session, queue: str) -> bool:
    """Return whether a queue is paused now."""
    return session.execute(_PAUSED, {"name": queue}).first() is not None
