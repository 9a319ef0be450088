"""Migrations as an operator sees them: which revision a database is at, and which are missing."""

from dataclasses import dataclass

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from config.errors import TollgateError
from models.database import psycopg_url
from models.migrations import configuration

CONNECT_TIMEOUT_S = 5  # an operator is waiting


@dataclass(frozen=True, slots=True)
class Revision:
    """One migration: its number and what it does."""

    number: str
    summary: str


def current(url: str) -> str | None:
    """Return the revision that the database is at, or None if it is empty."""
    engine = create_engine(psycopg_url(url), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S})
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """Return the newest revision that this version of Tollgate knows."""
    newest = _scripts().get_current_head()
    if newest is None:
        raise TollgateError("this installation has no migrations: it is incomplete")
    return newest


def pending(url: str) -> list[Revision]:
    """Return the migrations that the database lacks, oldest first.

    Raises:
        TollgateError: if the database is at a revision that this version does not know.
    """
    at = current(url)
    scripts = _scripts()
    known = {script.revision for script in scripts.walk_revisions()}
    if at is not None and at not in known:
        raise TollgateError(f"the database is at revision {at}, which this version of Tollgate does not know: upgrade")
    missing = [
        Revision(script.revision, script.doc.partition("\n")[0]) for script in scripts.iterate_revisions("head", at)
    ]
    return missing[::-1]


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(configuration(""))
