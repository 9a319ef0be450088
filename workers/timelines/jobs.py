"""What jobs have to tell: acceptance, attempts, ends, and what operators did."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from workers.timelines.line import Clock, Line

_JOBS = text("""
SELECT id, kind, queue, client_id, subject_id, request_id, state, problem, verdict, intent, intent_at, accepted_at,
       created_at, cancel_asked_at, finished_at, discarded_at, next_run_at
FROM jobs WHERE id = ANY(:ids) ORDER BY accepted_at, id
""")
_ATTEMPTS = text("""
SELECT attempts.job_id, kind, attempts.fence, worker, started_at, ended_at, outcome, error, stripe_request_id,
       EXTRACT(EPOCH FROM ended_at - started_at)::float AS seconds
FROM attempts JOIN jobs ON jobs.id = attempts.job_id WHERE attempts.job_id = ANY(:ids) ORDER BY attempts.id
""")
_ACTIONS = text("""
SELECT action, subject, operator, reason, acted_at FROM operator_actions WHERE subject = ANY(:ids) ORDER BY id
""")


def lines_of_jobs(session: Session, ids: Sequence[str]) -> Iterator[Line]:
    """Tell of jobs."""
    for row in session.execute(_JOBS, {"ids": list(ids)}):
        yield from _life(row)
    for row in session.execute(_ATTEMPTS, {"ids": list(ids)}):
        yield _attempt(row)


def lines_of_operators(session: Session, subjects: Sequence[str]) -> Iterator[Line]:
    """Tell what operators did to jobs, and to whatever else they act on."""
    for row in session.execute(_ACTIONS, {"ids": list(subjects)}):
        words = f"{row.action} by {row.operator}: {row.reason}"
        details = {"action": row.action, "operator": row.operator, "reason": row.reason}
        yield Line(row.acted_at, Clock.OURS, "operator", row.subject, words, details)


def _life(row: Row[Any]) -> Iterator[Line]:
    named = {"job": row.id, "kind": row.kind, "client": row.client_id, "subject": row.subject_id}
    request = f", request {row.request_id}" if row.request_id else ""
    yield Line(
        row.accepted_at,
        Clock.OURS,
        "request",
        row.id,
        f"{row.kind} for {row.subject_id} accepted from {row.client_id}{request}",
        {**named, "request_id": row.request_id},
    )
    yield Line(row.created_at, Clock.OURS, "job", row.id, f"taken in, for queue {row.queue}", {**named})
    if row.intent_at is not None:
        words = f"committed what is asked of Stripe: {row.intent}"
        yield Line(row.intent_at, Clock.OURS, "intent", row.id, words, {**named, "operation": row.intent})
    if row.cancel_asked_at is not None:
        yield Line(row.cancel_asked_at, Clock.OURS, "job", row.id, "its end is asked for", {**named})
    if row.finished_at is not None:
        problem = row.problem or {}
        why = f": {problem.get('detail') or problem.get('code')}" if problem else ""
        verdict = f" (verdict {row.verdict})" if row.verdict else ""
        details = {**named, "state": row.state, "problem": row.problem, "verdict": row.verdict}
        yield Line(row.finished_at, Clock.OURS, "job", row.id, f"{row.kind} is {row.state}{verdict}{why}", details)
    if row.discarded_at is not None:
        yield Line(row.discarded_at, Clock.OURS, "job", row.id, "put out of the dead letters", {**named})


def _attempt(row: Row[Any]) -> Line:
    outcome = f"{row.outcome} after {row.seconds:.2f} s" if row.ended_at is not None else "under way since"
    error = row.error or {}
    why = f": {error.get('type')}: {error.get('message')}" if error else ""
    asked = f", Stripe's request {row.stripe_request_id}" if row.stripe_request_id else ""
    return Line(
        row.started_at,
        Clock.OURS,
        "attempt",
        row.job_id,
        f"attempt {row.fence} of {row.kind} by {row.worker}: {outcome}{asked}{why}",
        {
            "job": row.job_id,
            "fence": row.fence,
            "worker": row.worker,
            "ended_at": row.ended_at,
            "outcome": row.outcome,
            "error": row.error,
            "stripe_request_id": row.stripe_request_id,
        },
    )
