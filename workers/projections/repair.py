"""Repair: views that are older than their rows are written again; a Redis that forgot everything is filled anew."""

import logging
from collections.abc import Sequence

from sqlalchemy import text

from config.errors import KeyringError, SealBrokenError
from workers.projections.api_keys import project_all
from workers.projections.projector import current_epoch, project
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.projections")
REPAIR_BATCH = 200  # rows per round and table, so that a long repair does not starve the rest
# A worker shows its own commit within milliseconds; only what it could not show is left for the dispatcher.
WORKER_SECONDS = 1.0

_BEHIND = {
    table: text(f"""
SELECT id FROM {table} WHERE version > projected_version
    AND updated_at < clock_timestamp() - make_interval(secs => :grace) LIMIT :most
""")  # noqa: S608 - built of constants
    for table in ("jobs", "payments")
}
_ALL_BEHIND = {
    table: text(f"""
WITH behind AS (
    SELECT id FROM {table} WHERE projected_version > 0 AND projected_version <= version
        AND updated_at > clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE {table} SET projected_version = 0 FROM behind WHERE {table}.id = behind.id
""")  # noqa: S608 - built of constants
    for table in ("jobs", "payments")
}


def repair_views(runtime: Runtime) -> int:
    """Show again what Redis shows too old; return how many views were written."""
    parameters = {"grace": WORKER_SECONDS, "most": REPAIR_BATCH}
    with runtime.transaction() as session:
        jobs = list(session.scalars(_BEHIND["jobs"], parameters))
        payments = list(session.scalars(_BEHIND["payments"], parameters))
    return _show(runtime, jobs, payments) if jobs or payments else 0


def _show(runtime: Runtime, jobs: Sequence[str], payments: Sequence[str]) -> int:
    """Show all but the payments whose secrets can't be opened: these must not keep the others from being shown."""
    try:
        return project(runtime, job_ids=jobs, payment_ids=payments)
    except (SealBrokenError, KeyringError) as error:
        if len(payments) == 1:
            LOG.error("payment %s can't be shown: %s", payments[0], error)  # noqa: TRY400 - the trace tells nothing
            return project(runtime, job_ids=jobs, payment_ids=[])
        half = len(payments) // 2
        return _show(runtime, jobs, payments[:half]) + _show(runtime, [], payments[half:])


def repair_forgotten(runtime: Runtime) -> bool:
    """If Redis does not show PostgreSQL's epoch, have everything shown again; return whether that was so.

    Raises:
        RedisError: if Redis is away.
        DatabaseAwayError: if PostgreSQL is.
    """
    key = runtime.settings.redis.keyspace.epoch
    shown = runtime.redis.get(key)
    with runtime.transaction() as session:
        epoch = current_epoch(session)
        if shown is not None and int(shown) == epoch:
            return False
        for table in ("jobs", "payments"):
            session.execute(_ALL_BEHIND[table], {"seconds": runtime.settings.view_seconds})
    repair_api_keys(runtime)
    runtime.redis.set(key, epoch)
    LOG.warning("Redis did not show epoch %d: all views are written again", epoch)
    return True


def repair_api_keys(runtime: Runtime) -> int:
    """Show every live API key and remove every revoked one; return how many are live. Raises as above."""
    with runtime.transaction() as session:
        return project_all(session, runtime.redis, runtime.settings.redis.keyspace)
