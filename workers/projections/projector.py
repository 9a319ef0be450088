"""The projector: reads what PostgreSQL knows, seals it and shows it in Redis, after every commit.

Failing is harmless: the dispatcher projects whatever is newer than its `projected_version`.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError
from tasks.contracts.steps import Step
from tasks.contracts.views import FINAL_JOB_STATES, JobView, PaymentView
from workers.projections.job_views import read_job_views
from workers.projections.payment_views import read_payment_views
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.projections")
PROJECT = resources.files("workers.projections").joinpath("project.lua").read_text()
WAITERS_SECONDS = 60  # a wait lasts ten seconds at most; later comers read the view
# GREATEST keeps a slow projector from taking back what a faster one has noted. A row that another holds is passed over:
# waiting for rows in any order would be a deadlock one day, and a note that is missing costs one projection more.
_NOTE = {
    table: text(f"""
WITH noted AS (
    SELECT {table}.id, shown.version FROM {table}
    JOIN unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS shown (id, version) ON shown.id = {table}.id
    FOR NO KEY UPDATE OF {table} SKIP LOCKED
)
UPDATE {table} SET projected_version = GREATEST(projected_version, noted.version)
FROM noted WHERE {table}.id = noted.id
""")  # noqa: S608 - built of constants
    for table in ("jobs", "payments")
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One view on its way to Redis."""

    id: str
    key: str
    epoch: int
    version: int
    view: JobView | PaymentView


def project(runtime: Runtime, *, job_ids: Sequence[str], payment_ids: Sequence[str]) -> int:
    """Show jobs and payments as they are now, wake those who wait, and return how many views were newer.

    Ids that are none of ours are passed over. Redis or PostgreSQL being away is logged, never raised.
    """
    try:
        with runtime.reading() as session:
            shown = _read(session, runtime, job_ids, payment_ids)
        written = write(runtime, shown, Step.VIEWS)
        with runtime.transaction(Step.NOTE) as session:
            _note(session, "jobs", [view for view in shown if isinstance(view.view, JobView)])
            _note(session, "payments", [view for view in shown if isinstance(view.view, PaymentView)])
    except (RedisError, DatabaseAwayError) as error:
        LOG.warning("views not written now, the dispatcher will: %s", type(error).__name__)
        return 0
    return written


def _read(session: Session, runtime: Runtime, job_ids: Sequence[str], payment_ids: Sequence[str]) -> list[Shown]:
    keyspace = runtime.settings.redis.keyspace
    epoch = current_epoch(session)
    payments = read_payment_views(session, runtime.settings.encryption_keys, payment_ids) if payment_ids else []
    jobs = read_job_views(session, job_ids) if job_ids else []
    return [Shown(view.id, keyspace.payment_view(view.id), epoch, version, view) for version, view in payments] + [
        Shown(view.id, keyspace.job_view(view.id), epoch, version, view) for version, view in jobs
    ]


def current_epoch(session: Session) -> int:
    """Return the projections' epoch."""
    return int(session.execute(text("SELECT epoch FROM projection_epoch")).scalar_one())


def write(runtime: Runtime, shown: Sequence[Shown], step: Step) -> int:
    """Write views to Redis in one round trip, then wake those who wait; return how many were newer.

    Raises:
        RedisError: if Redis is away.
    """
    if not shown:
        return 0
    settings = runtime.settings
    woken = [
        settings.redis.keyspace.waiters(view.id)
        for view in shown
        if isinstance(view.view, JobView) and view.view.state in FINAL_JOB_STATES
    ]
    arguments: list[bytes | int] = [len(shown), settings.view_seconds, WAITERS_SECONDS]
    for view in shown:
        sealed = view.view.seal(settings.view_keys, view.key, view.epoch, view.version)
        arguments += [view.epoch, view.version, sealed]
    script = runtime.redis.register_script(PROJECT)
    with step:
        return int(script(keys=[view.key for view in shown] + woken, args=arguments))


def _note(session: Session, table: str, shown: Sequence[Shown]) -> None:
    if shown:
        parameters = {"ids": [view.id for view in shown], "versions": [view.version for view in shown]}
        session.execute(_NOTE[table], parameters)
