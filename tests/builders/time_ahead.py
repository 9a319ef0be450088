"""A database whose clock can be set ahead, so that leases and graces run out when a test says so.

Everything of Tollgate's that waits asks PostgreSQL's `clock_timestamp()`. Here a function of that name stands before
PostgreSQL's own. Only the defaults of columns, which were bound when the tables were made, still show the true time.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy
from redis import Redis

from models.database import IDLE_IN_TRANSACTION_SECONDS, psycopg_url
from tasks.intake import GROUP

MILLISECONDS = 1000
MOST = 10_000
_INSTALL = """
CREATE SCHEMA ahead;
CREATE TABLE ahead.clock (seconds float NOT NULL);
INSERT INTO ahead.clock VALUES (0);
CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT pg_catalog.clock_timestamp() + make_interval(secs => seconds) FROM ahead.clock';
"""
_CUT_OFF = sqlalchemy.text("""
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()
""")


class TimeAhead:
    """Sets the clock of a database, and of a journal's pending entries, ahead."""

    def __init__(self, database_url: str, redis: Redis, journal: str) -> None:
        self._engine = sqlalchemy.create_engine(psycopg_url(database_url), pool_size=1, max_overflow=0)
        self._redis = redis
        self._journal = journal
        self.seconds = 0.0
        with self._engine.begin() as connection:
            connection.exec_driver_sql(_INSTALL)
            name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET search_path = ahead, pg_catalog, public')

    def close(self) -> None:
        """Close the connection by which the clock is set."""
        self._engine.dispose()

    def reset(self) -> None:
        """Show the true time again."""
        self.seconds = 0.0
        self._set()

    def advance(self, seconds: float) -> None:
        """Let that many seconds have passed, for whoever has not begun to wait since as well as for all others.

        A transaction that stood still for that long is ended, as PostgreSQL is told to by every connection of
        Tollgate's (`models.database`).
        """
        self.seconds += seconds
        self._set()
        self._age_pending(seconds)
        if self.seconds >= IDLE_IN_TRANSACTION_SECONDS:
            with self._engine.begin() as connection:
                connection.execute(_CUT_OFF)

    def _set(self) -> None:
        with self._engine.begin() as connection:
            connection.exec_driver_sql("UPDATE ahead.clock SET seconds = %s", (self.seconds,))

    def _age_pending(self, seconds: float) -> None:
        if not self._redis.exists(self._journal):
            return
        groups: Any = self._redis.xinfo_groups(self._journal)
        if not groups:
            return
        pending: Any = self._redis.xpending_range(self._journal, GROUP, "-", "+", MOST)
        for each in pending:
            idle = each["time_since_delivered"] + int(seconds * MILLISECONDS)
            self._redis.xclaim(self._journal, GROUP, each["consumer"], 0, [each["message_id"]], idle=idle, justid=True)
