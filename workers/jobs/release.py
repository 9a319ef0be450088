"""Release: a process that ends gives back the jobs that it still runs, which is no fault of theirs."""

from sqlalchemy import text
from sqlalchemy.orm import Session

# The state alone fences the late attempt off: every write of it wants `running`, and the next claim raises the fence.
# A row that an attempt holds locked just now is left to it: it is about to write its outcome.
_RELEASE = text("""
WITH held AS (
    SELECT jobs.id, jobs.fence FROM jobs
    JOIN attempts ON attempts.job_id = jobs.id AND attempts.fence = jobs.fence
    WHERE jobs.state = 'running' AND attempts.worker = :worker
    ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED
), closed AS (
    UPDATE attempts SET ended_at = clock_timestamp(), outcome = 'released'
    FROM held WHERE attempts.job_id = held.id AND attempts.fence = held.fence
)
UPDATE jobs
SET state = CASE WHEN intent IS NULL THEN 'ready' ELSE 'checking' END, lease_until = NULL, attempts = attempts - 1,
    next_run_at = clock_timestamp(), published_at = NULL, version = version + 1, updated_at = clock_timestamp()
FROM held WHERE jobs.id = held.id RETURNING jobs.id
""")


def release(session: Session, worker: str) -> list[str]:
    """Make the jobs that a worker runs due again, as `checking` where Stripe may have been asked; return their ids.

    It counts neither as an attempt nor as a rescue. Only for a worker that will ask Stripe nothing any more.
    """
    return list(session.scalars(_RELEASE, {"worker": worker}))
