"""Claim: one conditional UPDATE sets the lease and raises the fence; who gets no row has no job."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from models.job import DUE_STATES
from workers.jobs.row import JobRow

# Intake follows acceptance within a second. A row that came so much later may be one that a restore had lost.
LATE_SECONDS = 300
# The lease runs by PostgreSQL's clock alone. A job is claimed only when it is due, so a repeated or early hint is
# harmless; `claimed_publish` tells the dispatcher how far the queue has moved.
_CLAIM = text(f"""
WITH claimed AS (
    UPDATE jobs
    SET state = 'running', fence = fence + 1, attempts = attempts + 1, updated_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        claimed_publish = GREATEST(publish_number, claimed_publish)
    WHERE id = ANY(:ids) AND kind = :kind AND {one_of("state", DUE_STATES)} AND next_run_at <= clock_timestamp()
    RETURNING *
), attempted AS (
    INSERT INTO attempts (job_id, fence, worker) SELECT id, fence, :worker FROM claimed
)
SELECT id, kind, client_id, subject_id, request_id, payload, fence, attempts, rescues, snoozes, intent,
       intent_generation, EXTRACT(EPOCH FROM clock_timestamp() - intent_at)::float AS intent_age,
       created_at - accepted_at > interval '{LATE_SECONDS} seconds' AS taken_in_late,
       clock_timestamp() >= expires_at AS expired, accepted_at
FROM claimed ORDER BY id
""")  # noqa: S608 - built of constants

_STATES = text("SELECT id, state FROM jobs WHERE id = ANY(:ids)")


def claim(session: Session, ids: Sequence[str], *, kind: str, worker: str, lease: float) -> list[JobRow]:
    """Claim those of the jobs that are due, and return them in the order of their ids.

    Args:
        session: an open transaction; its commit makes the claim hold.
        ids: the jobs that a hint names.
        kind: theirs; a hint that names jobs of another kind is mistaken or forged, and claims nothing.
        worker: who claims, for the attempts' record.
        lease: seconds until the dispatcher may give the job to another.
    """
    rows = session.execute(_CLAIM, {"ids": list(ids), "kind": kind, "worker": worker, "lease": lease})
    return [JobRow.from_row(row) for row in rows]


def states(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the states of jobs that could not be claimed, to be told again; unknown ids are missing."""
    return {row.id: row.state for row in session.execute(_STATES, {"ids": list(ids)})}
