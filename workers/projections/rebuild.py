"""Rebuilding: views and lists are written anew from PostgreSQL, also those that stand in the same version.

It goes by the primary key, in steps that hold no lock, so it may stop anywhere and go on from there, beside workers
that show newer things all the while: an older view never replaces a newer one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import KeyringError, SealBrokenError
from workers.projections.nouns import NOUNS
from workers.projections.projector import show
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.projections")
TABLES = tuple(noun.table for noun in NOUNS)
PREFIXES = {noun.prefix: noun.table for noun in NOUNS}
STEP = 200  # rows that are read, sealed and written together: Redis is busy for some milliseconds

# Jobs of Tollgate's own are shown to nobody: their `projected_version` is above every version.
_CHOSEN = """
id > :after AND projected_version <= version AND (CAST(:client AS text) IS NULL OR client_id = :client)
    AND (:all OR updated_at > clock_timestamp() - make_interval(secs => :seconds))
"""
_NEXT = {
    table: text(f"SELECT id FROM {table} WHERE {_CHOSEN} ORDER BY id LIMIT :most")  # noqa: S608 - built of constants
    for table in TABLES
}
_COUNT = {
    table: text(f"SELECT count(*) FROM {table} WHERE {_CHOSEN}")  # noqa: S608 - built of constants
    for table in TABLES
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What is written anew.

    Args:
        client: only this client's things; None for everybody's.
        everything: also what has not changed for longer than views live.
        seconds: how long views live.
    """

    client: str | None
    everything: bool
    seconds: int


@dataclass(slots=True)
class Rebuilt:
    """What a step has done.

    Args:
        last: the id that it came to; the next one goes on after it.
        written: views and lists that were written, which newer ones are not.
        left_out: what can't be opened to be shown.
    """

    last: str
    things: int = 0
    written: int = 0
    left_out: list[str] = field(default_factory=list)


def count(session: Session, table: str, choice: Choice, after: str = "") -> int:
    """Return how many things of a table are to be written."""
    return int(session.execute(_COUNT[table], _parameters(choice, after)).scalar_one())


def rebuild_step(runtime: Runtime, table: str, choice: Choice, after: str) -> Rebuilt | None:
    """Write the next things of a table after that id; None if there are no more.

    Raises:
        RedisError: if Redis is away.
        DatabaseAwayError: if PostgreSQL is.
    """
    with runtime.reading() as session:
        ids = list(session.scalars(_NEXT[table], {**_parameters(choice, after), "most": STEP}))
    if not ids:
        return None
    rebuilt = Rebuilt(ids[-1], len(ids))
    _show(runtime, ids, rebuilt)
    return rebuilt


def _parameters(choice: Choice, after: str) -> dict[str, object]:
    return {"after": after, "client": choice.client, "all": choice.everything, "seconds": choice.seconds}


def _show(runtime: Runtime, ids: Sequence[str], rebuilt: Rebuilt) -> None:
    """Show all but what can't be opened, which is found by bisection."""
    try:
        rebuilt.written += show(runtime, ids, again=True)
    except (SealBrokenError, KeyringError) as error:
        if len(ids) == 1:
            LOG.error("%s can't be shown: %s", ids[0], error)  # noqa: TRY400 - the trace tells nothing
            rebuilt.left_out += ids
            return
        half = len(ids) // 2
        _show(runtime, ids[:half], rebuilt)
        _show(runtime, ids[half:], rebuilt)
