"""The model's clock: PostgreSQL, Python and the fake Stripe all read it, and it moves only when it is told to.

PostgreSQL's own clock can't be moved, so a function of the same name stands before it in the database's search path:
the shipped statements and the tables' defaults are left as they are, and yet read this clock.
"""

from __future__ import annotations

import datetime as dt

import psycopg2.extensions
import sqlalchemy

from models import migrations
from tests.databases import execute

START = 4_000_000_000.0  # seconds since 1970, UTC: far ahead, so that Redis's own stream ids never overtake the model's
_PREPARE = """
CREATE SCHEMA model;
CREATE SCHEMA copies;
CREATE TABLE model.clock (seconds double precision NOT NULL);
INSERT INTO model.clock VALUES (0);
CREATE FUNCTION model.clock_timestamp() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT to_timestamp(seconds) FROM model.clock';
"""


def prepare_database(url: str) -> None:
    """Migrate an empty database whose statements read the model's clock."""
    name = sqlalchemy.make_url(url).database
    for statement in (
        _PREPARE,
        f'ALTER DATABASE "{name}" SET search_path = public, model, pg_catalog',
        # Commits need not reach a disk: nobody pulls the plug of this database.
        f'ALTER DATABASE "{name}" SET synchronous_commit = off',
    ):
        execute(url, statement)
    migrations.upgrade(url)


class Clock:
    """Seconds since 1970, UTC, which PostgreSQL reads from a table."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        self.now = START

    def time(self) -> float:
        """Read the clock as `time.time` or `time.monotonic` would."""
        return self.now

    def instant(self) -> dt.datetime:
        """Return the time, UTC."""
        return dt.datetime.fromtimestamp(self.now, dt.UTC)

    def set(self, seconds: float) -> None:
        """Let it be that time, in PostgreSQL too."""
        self.now = seconds
        with self._connection.cursor() as cursor:
            cursor.execute("UPDATE model.clock SET seconds = %s", (seconds,))

    def jump(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.set(self.now + seconds)
