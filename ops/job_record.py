"""One job with all that is recorded of it: attempts, its subject's history, operators' acts. Nothing personal."""

from collections.abc import Mapping, Sequence
from typing import Any

import click
from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import TollgateError
from ops.output import in_words, print_json, print_table

_JOB = text("""
SELECT id, kind, queue, client_id, subject_id, request_id, state, verdict, problem, first_error, last_error,
       attempts, rescues, snoozes, replays, quarantined, intent, intent_generation, intent_at,
       accepted_at, created_at, next_run_at, lease_until, expires_at, cancel_asked_at, finished_at, discarded_at
FROM jobs WHERE id = :id
""")
_ATTEMPTS = text("""
SELECT fence, worker, started_at, ended_at, outcome, error, stripe_request_id
FROM attempts WHERE job_id = :id ORDER BY fence
""")
_HISTORY = text("SELECT recorded_at, old, new, source, evidence FROM history WHERE subject_id = :subject ORDER BY id")
_ACTIONS = text("SELECT acted_at, action, operator, reason FROM operator_actions WHERE subject = :id ORDER BY id")
Record = dict[str, Any]


def read(session: Session, job_id: str) -> Record:
    """Return the job's record.

    Raises:
        TollgateError: if there is no such job.
    """
    row = session.execute(_JOB, {"id": job_id}).mappings().first()
    if row is None:
        raise TollgateError(f"there is no job '{job_id}': an id is 'job_' and 26 characters; see 'tollgate jobs list'")
    subject = {"subject": row["subject_id"]}
    return {
        **row,
        "tries": _rows(session, _ATTEMPTS, {"id": job_id}),
        "history": _rows(session, _HISTORY, subject),
        "operators": _rows(session, _ACTIONS, {"id": job_id}),
    }


def _rows(session: Session, statement: Any, parameters: Mapping[str, Any]) -> list[Record]:
    return [dict(row) for row in session.execute(statement, parameters).mappings()]


def show(record: Record, *, as_json: bool) -> None:
    """Print it: facts that are there first, then the tables."""
    if as_json:
        print_json(record)
        return
    tables = ("tries", "history", "operators")
    for name, value in record.items():
        if name not in tables and value is not None and value is not False:
            click.echo(f"{name.replace('_', ' ') + ':':<20} {in_words(value)}")
    for title, name in (
        ("attempts", "tries"),
        (f"history of {record['subject_id']}", "history"),
        ("operators", "operators"),
    ):
        _table(title, record[name])


def _table(title: str, rows: Sequence[Record]) -> None:
    if rows:
        click.echo(f"\n{title}")
        print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
