"""Rescue: jobs whose lease ran out are due again, as `checking` where Stripe may have been asked."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_RESCUE = text("""
WITH lapsed AS (
    SELECT id, fence FROM jobs WHERE state = 'running' AND lease_until < clock_timestamp()
    ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
), closed AS (
    UPDATE attempts SET ended_at = clock_timestamp(), outcome = 'rescued'
    FROM lapsed WHERE attempts.job_id = lapsed.id AND attempts.fence = lapsed.fence
)
UPDATE jobs
SET state = CASE WHEN intent IS NULL THEN 'ready' ELSE 'checking' END, lease_until = NULL, rescues = rescues + 1,
    next_run_at = clock_timestamp(), published_at = NULL, version = version + 1, updated_at = clock_timestamp()
FROM lapsed WHERE jobs.id = lapsed.id RETURNING jobs.id
""")


def rescue(session: Session, most: int) -> list[str]:
    """Give back jobs whose worker died or was frozen, by PostgreSQL's clock; return their ids."""
    return list(session.scalars(_RESCUE, {"most": most}))
