"""Cancelling: from its commit on nothing more is sent for the job; it ends once it is certain that nothing was done."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from models.base import one_of
from models.job import DUE_STATES
from workers.jobs.operator import Operator

_CHOSEN = f"""
SELECT id, state, intent FROM jobs
WHERE id = ANY(:ids) AND ({one_of("state", DUE_STATES)} OR state = 'running') AND cancel_asked_at IS NULL ORDER BY id
"""  # noqa: S608 - built of constants
# A running attempt finds the mark before its next call to Stripe (`Attempt.before_call`), at its end otherwise.
_CANCEL = text(f"""
WITH chosen AS ({_CHOSEN} FOR UPDATE)
UPDATE jobs
SET cancel_asked_at = clock_timestamp(),
    next_run_at = CASE WHEN jobs.state = 'running' THEN next_run_at ELSE clock_timestamp() END,
    published_at = CASE WHEN jobs.state = 'running' THEN published_at END
FROM chosen WHERE jobs.id = chosen.id RETURNING jobs.id, chosen.state, chosen.intent IS NOT NULL AS asked
""")  # noqa: S608 - built of constants


def cancellable(session: Session, ids: Sequence[str]) -> dict[str, str]:
    """Return the state of each job that `cancel` would ask the end of, and change nothing."""
    return {row.id: row.state for row in session.execute(text(_CHOSEN), {"ids": list(ids)})}


def cancel(session: Session, ids: Sequence[str], operator: Operator) -> dict[str, str]:
    """Ask for the end of jobs that are not over; return what was true of each then: its state, and whether it asked.

    `ready` and `waiting` jobs become `cancelled` as soon as a worker takes the mark up. What may have been asked of
    Stripe is first looked for: if it was done, the job is done, and the cancellation came too late.
    """
    rows = session.execute(_CANCEL, {"ids": list(ids)}).all()
    operator.record(session, "cancel", {row.id: {"state": row.state, "stripe_asked": row.asked} for row in rows})
    return {row.id: row.state for row in rows}
