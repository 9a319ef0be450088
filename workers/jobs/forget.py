"""Forgetting: rows of jobs that are not kept (`Kind.kept`) are deleted soon after their end."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from tasks.contracts.kinds import CONTRACTS

KEPT_SECONDS = 600.0  # for whoever looks at what happened just now
_FLEETING = ", ".join(repr(kind) for kind, contract in sorted(CONTRACTS.items()) if not contract.KIND.kept)
# The dead stay: an operator should see what could not be done.
_FORGET = text(f"""
WITH gone AS (
    SELECT id FROM jobs
    WHERE kind IN ({_FLEETING}) AND state IN ('done', 'cancelled')
        AND finished_at < clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY finished_at LIMIT :most FOR UPDATE SKIP LOCKED
), tries AS (
    DELETE FROM attempts USING gone WHERE attempts.job_id = gone.id
)
DELETE FROM jobs USING gone WHERE jobs.id = gone.id RETURNING jobs.id
""")  # noqa: S608 - built of constants


def forget(session: Session, most: int, *, after: float = KEPT_SECONDS) -> int:
    """Delete jobs that ended more than `after` seconds ago and are not kept, at most so many; return how many."""
    return len(session.execute(_FORGET, {"most": most, "seconds": after}).all())
