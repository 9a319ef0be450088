"""The watch over disputes: what a bank waits for is flagged on its payment, again as its day comes near."""

from typing import Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from config.schedules import DISPUTE_DAYS
from models.base import one_of
from models.dispute import NEEDS_RESPONSE
from tasks.contracts.disputes import WatchDisputes
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.projections.instants import rfc3339
from workers.runtime import Runtime
from workers.services.flags import clear_flag, raise_flag

FLAG: Final = "dispute_due"
MOST: Final = 500  # payments of one look, those first whose day is nearest; the next one finds the rest
PAST, OPEN = "past due", "open"
_WAITING = text(f"""
SELECT DISTINCT ON (payment_id) payment_id, id, due_at, due_at < clock_timestamp() AS is_past,
    (SELECT min(day) FROM unnest(CAST(:days AS int[])) AS day
        WHERE due_at < clock_timestamp() + make_interval(days => day)) AS days
FROM disputes WHERE {one_of("status", NEEDS_RESPONSE)} AND due_at IS NOT NULL
ORDER BY payment_id, due_at, id
""")  # noqa: S608 - built of constants
_FLAGGED = text("SELECT subject_id FROM flags WHERE kind = :kind AND cleared_at IS NULL")


def watch(attempt: Attempt, _request: WatchDisputes) -> Outcome:
    """Flag the payments whose disputes are to be answered, and clear those whose bank waits no more."""
    runtime = attempt.runtime
    with runtime.reading() as session:
        waiting = _waiting(session)
        flagged = set(session.scalars(_FLAGGED, {"kind": FLAG}))
    soonest = sorted(waiting.values(), key=lambda row: (row.due_at, row.payment_id))[:MOST]
    over = sorted(flagged - waiting.keys())[:MOST]
    subjects = sorted([*(row.payment_id for row in soonest), *over])

    def conclude(session: Session) -> None:
        for payment_id in subjects:  # in the order of ids, as whoever else locks several payments
            if payment_id in waiting:
                raise_flag(session, runtime, FLAG, payment_id, _details(waiting[payment_id]))
            else:
                clear_flag(session, FLAG, payment_id)

    return done(conclude, touched=tuple(subjects))


def settle_watch(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: WatchDisputes, _outcome: Outcome
) -> None:
    """Leave everything as it is: a look that was not done is made up by the next one."""


def _waiting(session: Session) -> dict[str, Row[tuple[object, ...]]]:
    return {row.payment_id: row for row in session.execute(_WAITING, {"days": list(DISPUTE_DAYS)})}


def _details(row: Row[tuple[object, ...]]) -> dict[str, str]:
    """Return what the flag tells; it changes, so that the flag is raised anew, as the day comes near."""
    left = PAST if row.is_past else OPEN if row.days is None else f"{row.days} days"
    return {"dispute": row.id, "due_by": rfc3339(row.due_at), "left": left}
