"""Pausing queues: while one is paused none of its jobs is published or claimed; what runs goes on to its end."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from models.job import DUE_STATES
from workers.jobs.operator import Operator

_PAUSE = text("""
INSERT INTO queues (name, paused_at) VALUES (:name, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET paused_at = EXCLUDED.paused_at WHERE queues.paused_at IS NULL RETURNING name
""")
_RESUME = text("UPDATE queues SET paused_at = NULL WHERE name = :name AND paused_at IS NOT NULL RETURNING name")
# Hints that arrived meanwhile found nothing to claim and are gone.
_PUBLISH_AGAIN = text(f"""
UPDATE jobs SET published_at = NULL
WHERE queue = :name AND {one_of("state", DUE_STATES)} AND published_at IS NOT NULL
""")  # noqa: S608 - built of constants


def pause(session: Session, queue: str, operator: Operator) -> bool:
    """Pause a queue from the commit on; return whether it was not paused before."""
    if session.execute(_PAUSE, {"name": queue}).first() is None:
        return False
    operator.record(session, "pause", {queue: {}})
    return True


def resume(session: Session, queue: str, operator: Operator) -> bool:
    """Let a queue go on from the commit on; return whether it was paused."""
    if session.execute(_RESUME, {"name": queue}).first() is None:
        return False
    session.execute(_PUBLISH_AGAIN, {"name": queue})
    operator.record(session, "resume", {queue: {}})
    return True
