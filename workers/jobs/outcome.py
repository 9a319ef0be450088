"""Outcomes: how an attempt ends, and the one statement that writes it, fenced."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import FenceLostError
from config.queues import QUARANTINE
from tasks.contracts.kinds import kind_of
from workers.jobs.row import JobRow


def writes_nothing(_session: Session) -> None:
    """Say that an outcome changes nothing but its job."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended.

    Args:
        state: the job's next state.
        write: what else changes, in the same transaction as the state.
        delay: seconds until the next run, where there is one.
        problem: why it was refused or died, fit for the client: `{code, detail}`.
        error: what went wrong, for operators: `{type, message, …}`; never personal data.
        verdict: for the dead: whether a replay is safe.
        counts: False for a snooze, which is no attempt.
        request_id: Stripe's, of the last call.
        touched: payments and refunds besides the job's own subject whose views must follow.
    """

    state: str
    write: Callable[[Session], None] = writes_nothing
    delay: float = 0.0
    problem: Mapping[str, str] | None = None
    error: Mapping[str, Any] | None = None
    verdict: str | None = None
    counts: bool = True
    request_id: str | None = None
    touched: tuple[str, ...] = field(default=())

    @property
    def reason(self) -> str:
        """Why, in one line, for logs and Flower."""
        source = self.error or self.problem or {}
        return str(source.get("message") or source.get("detail") or self.state)


def done(write: Callable[[Session], None], *, request_id: str | None = None, touched: tuple[str, ...] = ()) -> Outcome:
    """Say that all is done; `write` records it in the same transaction."""
    return Outcome("done", write, request_id=request_id, touched=touched)


# The fence and the state must still be this attempt's. An attempt that was rescued in the meantime changes nothing.
# `waiting` says that all attempts together had no effect at Stripe: there is no intent any more. A job that is over is
# spoken of in its own queue, wherever it ran.
_FINISH = text("""
WITH finished AS (
    UPDATE jobs
    SET state = :state, queue = :queue, lease_until = NULL, published_at = NULL, version = version + 1,
        intent = CASE WHEN :state = 'waiting' THEN NULL ELSE intent END,
        intent_at = CASE WHEN :state = 'waiting' THEN NULL ELSE intent_at END,
        attempts = attempts - CASE WHEN :counts THEN 0 ELSE 1 END,
        snoozes = snoozes + CASE WHEN :counts THEN 0 ELSE 1 END,
        next_run_at = clock_timestamp() + make_interval(
            secs => CASE WHEN cancel_asked_at IS NULL THEN :delay WHEN :state = 'waiting' THEN 0
                WHEN :stopped THEN :delay ELSE LEAST(:delay, :soon) END),
        problem = CAST(:problem AS jsonb),
        first_error = COALESCE(first_error, CAST(:error AS jsonb)),
        last_error = COALESCE(CAST(:error AS jsonb), last_error),
        verdict = :verdict,
        finished_at = CASE WHEN :final THEN clock_timestamp() END,
        updated_at = clock_timestamp()
    WHERE id = :id AND fence = :fence AND state = 'running'
    RETURNING id, fence
), ended AS (
    UPDATE attempts
    SET ended_at = clock_timestamp(), outcome = :state, error = CAST(:error AS jsonb), stripe_request_id = :request_id
    FROM finished WHERE attempts.job_id = finished.id AND attempts.fence = finished.fence
)
SELECT id FROM finished
""")

SOON_SECONDS = 1.0  # an attempt that was under way when it was cancelled is followed by one that knows of it
FINAL_STATES = frozenset({"done", "refused", "dead", "cancelled"})


def finish(session: Session, job: JobRow, outcome: Outcome) -> None:
    """Write an outcome and all that belongs to it, in the caller's transaction.

    Raises:
        FenceLostError: if another attempt owns the job now; the transaction must be rolled back.
    """
    written = session.execute(
        _FINISH,
        {
            "id": job.id,
            "fence": job.fence,
            "state": outcome.state,
            "queue": _queue(job, outcome),
            "counts": outcome.counts,
            "delay": outcome.delay,
            "soon": SOON_SECONDS,
            "stopped": job.stopped_for is not None,
            "problem": _json(outcome.problem),
            "error": _json(outcome.error),
            "verdict": outcome.verdict,
            "final": outcome.state in FINAL_STATES,
            "request_id": outcome.request_id,
        },
    ).first()
    if written is None:
        raise FenceLostError(f"attempt {job.fence} of {job.id} was taken over; its outcome was not written")
    outcome.write(session)


def _queue(job: JobRow, outcome: Outcome) -> str:
    return QUARANTINE if job.quarantined and outcome.state not in FINAL_STATES else kind_of(job.kind).queue


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value)
