"""The projector: reads what PostgreSQL knows, seals it and shows it in Redis, after every commit.

Failing is harmless: the dispatcher projects whatever is newer than its `projected_version`.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError
from tasks.contracts.steps import Step
from tasks.contracts.views import FINAL_JOB_STATES, AbsentView, JobView, ListView
from workers.projections.list_views import Listed, lists_of, read_lists
from workers.projections.nouns import NOUNS, Noun, View, by_noun
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.projections")
PROJECT = resources.files("workers.projections").joinpath("project.lua").read_text()
WAITERS_SECONDS = 60  # a wait lasts ten seconds at most; later comers read the view
# GREATEST keeps a slow projector from taking back what a faster one has noted. A row that another holds is passed over:
# waiting for rows in any order would be a deadlock one day, and a note that is missing costs one projection more.
_NOTE = {
    noun: text(f"""
WITH noted AS (
    SELECT {noun.table}.id, shown.version FROM {noun.table}
    JOIN unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS shown (id, version) ON shown.id = {noun.table}.id
    FOR NO KEY UPDATE OF {noun.table} SKIP LOCKED
)
UPDATE {noun.table} SET projected_version = GREATEST(projected_version, noted.version)
FROM noted WHERE {noun.table}.id = noted.id
""")  # noqa: S608 - built of constants
    for noun in NOUNS
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One view on its way to Redis.

    Args:
        seconds: how long it is to live; None for as long as views do.
    """

    id: str
    key: str
    epoch: int
    version: int
    view: View | ListView | AbsentView
    seconds: int | None = None


def project(runtime: Runtime, ids: Iterable[str]) -> int:
    """Show jobs, payments and refunds as they are now, wake those who wait, and return how many views were newer.

    With what is shown for the first time go the lists that it is on. Ids of what is not shown are passed over. Redis or
    PostgreSQL being away is logged, never raised.
    """
    try:
        return show(runtime, ids)
    except (RedisError, DatabaseAwayError) as error:
        LOG.warning("views not written now, the dispatcher will: %s", type(error).__name__)
        return 0


def show(runtime: Runtime, ids: Iterable[str], *, again: bool = False) -> int:
    """Do what `project` does.

    Args:
        runtime: its PostgreSQL is read, its Redis written.
        ids: of jobs, payments and refunds.
        again: write views that stand in the same version anew as well, and the lists of whatever is shown.

    Raises:
        RedisError: if Redis is away.
        DatabaseAwayError: if PostgreSQL is.
    """
    wanted = by_noun(ids)
    with runtime.reading() as session:
        epoch = current_epoch(session)
        shown = {noun: read_noun(session, runtime, noun, names, epoch) for noun, names in wanted.items()}
        # After the rows: a list is never older than what is on it.
        names = [name for names in wanted.values() for name in names]
        keys = lists_of(session, runtime.settings, names, known=again)
        listed = read_lists(session, runtime.settings, keys)
    lists = [view for each in listed for view in shown_list(runtime, each, epoch)]
    things = [view for views in shown.values() for view in views]
    written = write(runtime, [*lists, *things], Step.VIEWS, again=again)
    note(runtime, shown)
    return written


def note(runtime: Runtime, shown: Mapping[Noun, Sequence[Shown]]) -> None:
    """Let PostgreSQL know in which versions things are shown; raises DatabaseAwayError."""
    with runtime.transaction(Step.NOTE) as session:
        for noun, views in shown.items():
            _note(session, noun, views)


def shown_list(runtime: Runtime, listed: Listed, epoch: int, *, seconds: int | None = None) -> list[Shown]:
    """Return a list's view under each of its names."""
    settings = runtime.settings
    return [
        Shown(name, settings.redis.keyspace.view(name), epoch, listed.total, listed.view(name), seconds)
        for name in listed.key.names(settings.view_keys)
    ]


def read_noun(session: Session, runtime: Runtime, noun: Noun, ids: Sequence[str], epoch: int) -> list[Shown]:
    """Return the views of those of the ids that exist, on their way to Redis."""
    settings = runtime.settings
    return [
        Shown(view.id, settings.redis.keyspace.view(view.id), epoch, version, view)
        for version, view in noun.read(session, settings.encryption_keys, ids)
    ]


def current_epoch(session: Session) -> int:
    """Return the projections' epoch."""
    return int(session.execute(text("SELECT epoch FROM projection_epoch")).scalar_one())


def write(
    runtime: Runtime, shown: Sequence[Shown], step: Step, *, again: bool = False, wake: Iterable[str] = ()
) -> int:
    """Write views to Redis in one round trip, then wake those who wait; return how many were newer.

    Args:
        runtime: whose Redis.
        shown: the views.
        step: whose effect this is.
        again: whether those of the same version are written anew.
        wake: ids for which somebody may wait, besides jobs that are over.

    Raises:
        RedisError: if Redis is away.
    """
    if not shown:
        return 0
    settings = runtime.settings
    over = [view.id for view in shown if isinstance(view.view, JobView) and view.view.state in FINAL_JOB_STATES]
    woken = [settings.redis.keyspace.waiters(name) for name in dict.fromkeys([*over, *wake])]
    arguments: list[bytes | int] = [len(shown), WAITERS_SECONDS, int(again)]
    for view in shown:
        sealed = view.view.seal(settings.view_keys, view.key, view.epoch, view.version)
        arguments += [view.epoch, view.version, sealed, view.seconds or settings.view_seconds]
    script = runtime.redis.register_script(PROJECT)
    with step:
        return int(script(keys=[view.key for view in shown] + woken, args=arguments))


def _note(session: Session, noun: Noun, shown: Sequence[Shown]) -> None:
    if shown:
        parameters = {"ids": [view.id for view in shown], "versions": [view.version for view in shown]}
        session.execute(_NOTE[noun], parameters)
