"""Rescue: jobs whose lease ran out are due again, as `checking` where Stripe may have been asked.

A rescue counts against the job only where it is certain that its worker died while PostgreSQL was up: the server was
not started since the attempt began, the dispatcher was not cut off from it meanwhile, and when the lease ran out the
attempt's process had been silent for longer than a living one is. After `max_rescues` that count the job goes into
quarantine, to run alone.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.queues import QUARANTINE
from workers.jobs.presence import PRESENCE_SECONDS

# A lease that ran out is found at once, mostly before a process that lives has had to give its next sign: one whose
# attempt is only slow would be counted as dead. Who dies so shortly before its lease's end is not counted.
SILENCE_SECONDS = 1.5 * PRESENCE_SECONDS
_RESCUE = text("""
WITH lapsed AS (
    SELECT jobs.id, jobs.fence, jobs.rescues, jobs.quarantined,
        COALESCE(attempts.started_at > pg_postmaster_start_time(), FALSE) AND NOT COALESCE(
            attempts.started_at < clock_timestamp() - make_interval(secs => :ended_ago)
            AND jobs.lease_until > clock_timestamp() - make_interval(secs => :began_ago), FALSE
        ) AND NOT EXISTS (
            SELECT FROM processes WHERE processes.name = attempts.worker
            AND processes.seen_at >= jobs.lease_until - make_interval(secs => :silence)
        ) AS worker_died
    FROM jobs LEFT JOIN attempts ON attempts.job_id = jobs.id AND attempts.fence = jobs.fence
    WHERE jobs.state = 'running' AND jobs.lease_until < clock_timestamp()
    ORDER BY jobs.id LIMIT :most FOR UPDATE OF jobs SKIP LOCKED
), closed AS (
    UPDATE attempts SET ended_at = clock_timestamp(), outcome = 'rescued'
    FROM lapsed WHERE attempts.job_id = lapsed.id AND attempts.fence = lapsed.fence
)
UPDATE jobs
SET state = CASE WHEN intent IS NULL THEN 'ready' ELSE 'checking' END, lease_until = NULL,
    rescues = jobs.rescues + lapsed.worker_died::int,
    quarantined = jobs.quarantined OR (lapsed.worker_died AND jobs.rescues + 1 >= :max_rescues),
    queue = CASE WHEN jobs.quarantined OR (lapsed.worker_died AND jobs.rescues + 1 >= :max_rescues)
            THEN :quarantine ELSE queue END,
    next_run_at = clock_timestamp(), published_at = NULL, version = version + 1, updated_at = clock_timestamp()
FROM lapsed WHERE jobs.id = lapsed.id
RETURNING jobs.id, lapsed.worker_died, jobs.quarantined
""")


@dataclass(frozen=True, slots=True)
class Rescued:
    """One job that was given back, and whether that counts as a death of its worker."""

    job_id: str
    worker_died: bool
    quarantined: bool


@dataclass(frozen=True, slots=True)
class CutOff:
    """When a dispatcher was last cut off from PostgreSQL: how many seconds ago that began and ended."""

    began_ago: float
    ended_ago: float


def rescue(session: Session, most: int, *, max_rescues: int, cut_off: CutOff | None = None) -> list[Rescued]:
    """Give back jobs whose worker died or was frozen, by PostgreSQL's clock.

    Args:
        session: an open transaction.
        most: how many at a time.
        max_rescues: deaths after which a job runs alone.
        cut_off: when this dispatcher last could not reach PostgreSQL: then workers could not either.
    """
    parameters = {
        "most": most,
        "max_rescues": max_rescues,
        "began_ago": cut_off.began_ago if cut_off else None,
        "ended_ago": cut_off.ended_ago if cut_off else None,
        "quarantine": QUARANTINE,
        "silence": SILENCE_SECONDS,
    }
    rows = session.execute(_RESCUE, parameters)
    return [Rescued(row.id, row.worker_died, row.quarantined) for row in rows]
