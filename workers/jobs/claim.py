"""Claim: one conditional UPDATE sets the lease and raises the fence; who gets no row has no job."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from workers.jobs.due import DUE, RUNNABLE
from workers.jobs.row import JobRow

# Intake follows acceptance within a second. A row that came so much later may be one that a restore had lost; one that
# was accepted before an operator had the journal read again may be as it was long ago. Of one that has begun anew it is
# certain that nothing had happened until then.
LATE_SECONDS = 300
_REREAD = "SELECT max(acted_at) FROM operator_actions WHERE subject = 'journal' AND action = 'reread'"
_TAKEN_IN_LATE = f"began_anew_at IS NULL AND created_at - accepted_at > interval '{LATE_SECONDS} seconds'"
LATE = f"COALESCE({_TAKEN_IN_LATE} OR COALESCE(began_anew_at, accepted_at) < ({_REREAD}), FALSE)"
# Stripe's stored failure is as old as its first repetition at least: a look has had so long to find what it did.
_STORED_FAILURE = """
(SELECT min(attempts.ended_at) FROM attempts WHERE attempts.job_id = claimed.id
    AND attempts.ended_at >= claimed.intent_at AND attempts.error ->> 'replayed' = 'true')
"""
# The lease runs by PostgreSQL's clock alone. A job is claimed only when it is due and its queue is not paused, so a
# repeated or early hint is harmless; `claimed_publish` tells the dispatcher how far the queue has moved. What is to be
# cancelled passes a paused queue: nothing is sent for it.
_CLAIM = text(f"""
WITH claimed AS (
    UPDATE jobs
    SET state = 'running', fence = fence + 1, attempts = attempts + 1, updated_at = clock_timestamp(),
        lease_until = clock_timestamp() + make_interval(secs => :lease),
        claimed_publish = GREATEST(publish_number, claimed_publish)
    WHERE id = ANY(:ids) AND kind = :kind AND {DUE}
    RETURNING *
), attempted AS (
    INSERT INTO attempts (job_id, fence, worker) SELECT id, fence, :worker FROM claimed
)
SELECT id, kind, client_id, subject_id, request_id, payload, fence, attempts, rescues, snoozes, quarantined,
       intent, intent_generation,
       EXTRACT(EPOCH FROM clock_timestamp() - CASE WHEN {LATE} THEN accepted_at ELSE intent_at END)::float
           AS intent_age,
       EXTRACT(EPOCH FROM clock_timestamp() - CASE WHEN intent IS NOT NULL THEN {_STORED_FAILURE} END)::float
           AS failure_age,
       {LATE} AS taken_in_late, clock_timestamp() >= expires_at AS expired, cancel_asked_at IS NOT NULL AS cancelling,
       not_done_said_at IS NOT NULL AS said_not_done,
       CASE WHEN cancel_asked_at IS NOT NULL OR clock_timestamp() >= expires_at
            THEN EXTRACT(EPOCH FROM clock_timestamp() - LEAST(expires_at, cancel_asked_at))::float END AS stopped_for,
       accepted_at
FROM claimed ORDER BY id
""")  # noqa: S608 - built of constants

_STATES = text(f"SELECT id, state, NOT {RUNNABLE} AS paused FROM jobs WHERE id = ANY(:ids)")  # noqa: S608 - built of constants


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


def states(session: Session, ids: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Return the state of each job that is there, and whether its queue is paused."""
    return {row.id: (row.state, row.paused) for row in session.execute(_STATES, {"ids": list(ids)})}
