"""Repair: views that are older than their rows are written again; a Redis that forgot everything is filled anew."""

import logging
from collections.abc import Sequence

from sqlalchemy import text

from config.errors import KeyringError, SealBrokenError
from tasks.contracts.steps import Step
from workers.projections.api_keys import project_all
from workers.projections.nouns import NOUNS
from workers.projections.projector import current_epoch, project
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.projections")
SEALED = ("pay_", "inv_")  # only these hold what is opened to be shown
REPAIR_BATCH = 500  # rows of a table that are read, sealed and written together
REPAIR_ROUNDS = 10  # batches at a time, so that a long repair does not starve the rest
STEP = 2_000  # rows that are marked in one transaction
# A worker shows its own commit within milliseconds; only what it could not show is left for the dispatcher.
WORKER_SECONDS = 1.0

# A refund that was refused at once has no row: its job's is shown as both.
_REFUNDS = text("SELECT subject_id FROM jobs WHERE id = ANY(:ids) AND kind = 'refunds.create'")
TABLES = tuple(noun.table for noun in NOUNS)
_BEHIND = {
    table: text(f"""
SELECT id FROM {table} WHERE version > projected_version
    AND updated_at < clock_timestamp() - make_interval(secs => :grace)
    ORDER BY updated_at DESC LIMIT :most
""")  # noqa: S608 - built of constants
    for table in TABLES
}
# By the primary key and in steps that commit, so that a large table costs neither the statement's time limit nor locks
# that workers wait for.
_BEHIND_AGAIN = {
    table: text(f"""
WITH step AS (
    SELECT id FROM {table} WHERE id > :after ORDER BY id LIMIT :most
), behind AS (
    SELECT {table}.id FROM {table} JOIN step USING (id)
    WHERE projected_version > 0 AND projected_version <= version
        AND updated_at > clock_timestamp() - make_interval(secs => :seconds)
    ORDER BY {table}.id FOR NO KEY UPDATE OF {table}
), marked AS (
    UPDATE {table} SET projected_version = 0 FROM behind WHERE {table}.id = behind.id
)
SELECT max(id) FROM step
""")  # noqa: S608 - built of constants
    for table in TABLES
}


def repair_views(runtime: Runtime) -> int:
    """Show again what Redis shows too old; return how many views were written."""
    parameters = {"grace": WORKER_SECONDS, "most": REPAIR_BATCH}
    written = 0
    for _ in range(REPAIR_ROUNDS):
        with runtime.reading() as session:
            behind = {table: list(session.scalars(_BEHIND[table], parameters)) for table in TABLES}
            without_rows = list(session.scalars(_REFUNDS, {"ids": behind["jobs"]})) if behind["jobs"] else []
        ids = [*without_rows, *(name for names in behind.values() for name in names)]
        round_written = _show(runtime, ids) if ids else 0
        written += round_written
        if round_written == 0 or max(map(len, behind.values())) < REPAIR_BATCH:
            break
    return written


def _show(runtime: Runtime, ids: Sequence[str]) -> int:
    """Show all but the payments and invoices that can't be opened: these must not keep the others from being shown."""
    try:
        return project(runtime, ids)
    except (SealBrokenError, KeyringError) as error:
        sealed = [name for name in ids if name.startswith(SEALED)]
        others = [name for name in ids if not name.startswith(SEALED)]
        if len(sealed) == 1:
            LOG.error("%s can't be shown: %s", sealed[0], error)  # noqa: TRY400 - the trace tells nothing
            return project(runtime, others)
        half = len(sealed) // 2
        return _show(runtime, [*others, *sealed[:half]]) + _show(runtime, sealed[half:])


def repair_forgotten(runtime: Runtime) -> bool:
    """If Redis does not show PostgreSQL's epoch, have everything shown again; return whether that was so.

    Raises:
        RedisError: if Redis is away.
        DatabaseAwayError: if PostgreSQL is.
    """
    key = runtime.settings.redis.keyspace.epoch
    shown = runtime.redis.get(key)
    with runtime.reading() as session:
        epoch = current_epoch(session)
        if shown is not None and int(shown) == epoch:
            return False
    repair_api_keys(runtime)
    for table in TABLES:
        _mark_all_behind(runtime, table)
    with Step.EPOCH:
        runtime.redis.set(key, epoch)
    LOG.warning("Redis did not show epoch %d: all views are written again", epoch)
    return True


def _mark_all_behind(runtime: Runtime, table: str) -> None:
    after: str | None = ""
    while after is not None:
        with runtime.transaction(Step.MARK_BEHIND) as session:
            parameters = {"after": after, "most": STEP, "seconds": runtime.settings.view_seconds}
            after = session.execute(_BEHIND_AGAIN[table], parameters).scalar_one()


def repair_api_keys(runtime: Runtime) -> int:
    """Show every live API key and remove every revoked one; return how many are live. Raises as above."""
    with runtime.reading() as session:
        return project_all(session, runtime.redis, runtime.settings.redis.keyspace)
