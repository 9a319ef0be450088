"""What our own database says of jobs: for knowing when all is quiet, and for information. The oracle never reads it."""

from collections.abc import Mapping

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models.database import psycopg_url

_STATES = text("SELECT kind, state, count(*) AS jobs FROM jobs GROUP BY kind, state")
_DEAD = text("""
SELECT kind, COALESCE(problem ->> 'detail', problem ->> 'code', '-') AS detail, count(*) AS jobs
FROM jobs WHERE state = 'dead' GROUP BY 1, 2 ORDER BY 1, 2
""")
_PER_SUBJECT = text("""
SELECT count(*)
FROM (
    SELECT 1 FROM jobs WHERE kind IN ('payments.create', 'refunds.create', 'invoices.create')
    GROUP BY kind, subject_id HAVING count(*) > 1
) AS twice
""")
ENDED = frozenset({"done", "refused", "dead", "cancelled"})


def job_states(database_url: str) -> dict[tuple[str, str], int]:
    """Return how many jobs there are of each kind and state."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return {(row.kind, row.state): row.jobs for row in connection.execute(_STATES)}
    finally:
        engine.dispose()


def jobs_made_twice(database_url: str) -> int:
    """Return for how many payments, refunds and invoices there is more than one job that makes it."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return int(connection.execute(_PER_SUBJECT).scalar_one())
    finally:
        engine.dispose()


def dead_letters(database_url: str) -> dict[str, int]:
    """Return how many dead letters there are of each kind and reason."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return {f"{row.kind}: {row.detail}": row.jobs for row in connection.execute(_DEAD)}
    finally:
        engine.dispose()


def unfinished(states: Mapping[tuple[str, str], int]) -> int:
    """Return how many jobs have not ended."""
    return sum(jobs for (_, state), jobs in states.items() if state not in ENDED)


def dead(states: Mapping[tuple[str, str], int]) -> int:
    """Return how many jobs are dead letters."""
    return sum(jobs for (_, state), jobs in states.items() if state == "dead")
