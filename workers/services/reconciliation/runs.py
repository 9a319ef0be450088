"""Runs: reconciliations that are kept. The daily one is a chain of jobs, a piece of time each: it may be killed.

A run's row is made with its first piece and finished with its last; each piece is added in the transaction that ends
its job, so that none is counted twice.
"""

import datetime as dt
import json
import logging
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from config.schedules import RECONCILIATION
from models.client import OWN_CLIENT
from tasks.contracts.reconciliation import Reconcile
from workers.gateways.listings import EVENTS_KEPT_DAYS
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.flags import clear_flag, raise_flag
from workers.services.reconciliation.at_stripe import Asking, pieces
from workers.services.reconciliation.reconcile import FIRST_LOOK, reconcile_piece, settled_until
from workers.services.reconciliation.result import Result, counts

LOG = logging.getLogger("tollgate.reconciliation")
FLAG: Final = ("reconciliation_breaks", "reconciliation")
SCHEDULE, OPERATOR = "schedule", "operator"
# What is older can't be healed from Stripe's events any more; an operator may look further back.
LONGEST: Final = dt.timedelta(days=EVENTS_KEPT_DAYS)
_LAST = text("""
SELECT max(until) FROM reconciliations WHERE started_by = 'schedule' AND finished_at IS NOT NULL
""")
_KEEP = text("""
INSERT INTO reconciliations AS kept (id, started_by, since, until, movements, breaks, remainder, report, finished_at)
VALUES (:id, :by, :since, :until, :movements, :breaks, CAST(:remainder AS jsonb), CAST(:report AS jsonb),
    CASE WHEN :finished THEN clock_timestamp() END)
ON CONFLICT (id) DO UPDATE SET movements = EXCLUDED.movements, breaks = EXCLUDED.breaks,
    remainder = EXCLUDED.remainder, report = EXCLUDED.report, finished_at = EXCLUDED.finished_at
""")
_REPORT = text("SELECT report FROM reconciliations WHERE id = :id FOR UPDATE")
_LIST = text("""
SELECT id, started_by, since, until, started_at, finished_at, movements, breaks, remainder
FROM reconciliations ORDER BY started_at DESC, id LIMIT :limit
""")
_ONE = text("""
SELECT id, started_by, since, until, started_at, finished_at, movements, breaks, remainder, report
FROM reconciliations WHERE id = :id
""")


def run(attempt: Attempt, request: Reconcile) -> Outcome:
    """Reconcile the next piece of the daily run; leaves a job behind for the one after it."""
    runtime = attempt.runtime
    asking = Asking(runtime.stripe, attempt.before_call)
    begun = _begun(attempt, request, asking)
    todo = pieces(dt.datetime.fromisoformat(str(begun.since)), dt.datetime.fromisoformat(str(begun.until)))
    if not todo:
        return done(lambda _session: None)  # the last run has just ended
    settled = dt.datetime.fromisoformat(str(begun.until))
    found = reconcile_piece(runtime, todo[begun.number], settled, asking)
    is_last = begun.number + 1 == len(todo)

    def conclude(session: Session) -> None:
        result = _before(session, str(begun.run))
        result.add(found)
        keep(session, str(begun.run), SCHEDULE, (todo[0].since, settled), result, finished=is_last)
        if is_last:
            flag(session, runtime, result)
        else:
            _go_on(session, attempt, begun)

    return done(conclude)


def settle(_session: Session, _runtime: Runtime, _job: JobRow, _request: Reconcile, _outcome: Outcome) -> None:
    """Leave everything as it is: the next run begins where the last finished one ended."""


def _begun(attempt: Attempt, request: Reconcile, asking: Asking) -> Reconcile:
    if request.run is not None:
        return request
    until = settled_until(attempt.runtime, asking)
    with attempt.runtime.reading() as session:
        last: dt.datetime | None = session.execute(_LAST).scalar_one()
    since = until - FIRST_LOOK if last is None else max(last.astimezone(dt.UTC), until - LONGEST)
    name = f"rec_{attempt.job.id.removeprefix('job_')}"
    return Reconcile(name, since.isoformat(), until.isoformat())


def _before(session: Session, run_id: str) -> Result:
    report = session.execute(_REPORT, {"id": run_id}).scalar_one_or_none()
    return Result() if report is None else Result.from_json(report)


def keep(
    session: Session,
    run_id: str,
    started_by: str,
    window: tuple[dt.datetime, dt.datetime],
    result: Result,
    *,
    finished: bool,
) -> None:
    """Write a run as it is by now."""
    parameters = {
        "id": run_id,
        "by": started_by,
        "since": window[0],
        "until": window[1],
        "movements": result.movements,
        "breaks": len(result.wrong),
        "remainder": json.dumps(result.remainder),
        "report": json.dumps(result.to_json()),
        "finished": finished,
    }
    session.execute(_KEEP, parameters)


def flag(session: Session, runtime: Runtime, result: Result) -> None:
    """Raise the flag if anything is wrong or remains, clear it if not."""
    LOG.info(
        "reconciled: %d movement(s), %d break(s)",
        result.movements,
        len(result.wrong),
        extra={"movements": result.movements, "breaks": counts(result), "remainder": result.remainder},
    )
    if result.is_clean:
        clear_flag(session, *FLAG)
    else:
        raise_flag(session, runtime, *FLAG, {"breaks": counts(result), "remainder": result.remainder})


def kept(session: Session, limit: int) -> Sequence[Row[Any]]:
    """Return the newest runs, without their reports."""
    return session.execute(_LIST, {"limit": limit}).all()


def one(session: Session, run_id: str) -> Row[Any] | None:
    """Return a run with its report."""
    return session.execute(_ONE, {"id": run_id}).first()


def _go_on(session: Session, attempt: Attempt, begun: Reconcile) -> None:
    enqueue(
        session,
        attempt.runtime.settings,
        Reconcile(begun.run, begun.since, begun.until, begun.number + 1),
        client_id=OWN_CLIENT,
        subject_id=RECONCILIATION.name,
        slot=f"{begun.run}/{begun.number + 1}",
        request_id="",
    )
