"""A shelf of one migrated database: cleared between tests, since a copy of the template costs a third of a second.

What a test leaves behind is deleted, and what every new database holds is put back. A test that changed more than rows
(a table, a trigger, a setting) spoils its database: that is dropped, and the next test gets a new copy. So is one that
was lent often, because what is deleted leaves room behind that PostgreSQL goes on reading.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import sqlalchemy

from tests.databases import database

LOANS = 60  # of one database
PATIENCE_MS = 5_000  # until a backend that was told to end has ended; it holds locks until then

_OTHERS = """
SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
_SEQUENCES = "SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' ORDER BY sequencename"
# COPY would be plainer, but psycopg2 takes none while a wait callback is set (`models.database`).
_HELD = "SELECT coalesce(json_agg(held)::text, '[]') FROM \"{table}\" AS held"
_PUT_BACK = 'INSERT INTO "{table}" OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_recordset(NULL::"{table}", %s)'
NONE = "[]"
# Everything in a database but rows and what follows from them.
_SHAPE = """
SELECT md5(string_agg(thing, ' ' ORDER BY thing)) FROM (
    SELECT concat_ws('/', 'class', relnamespace::regnamespace, relname, relkind, reloptions) FROM pg_class
        WHERE relnamespace::regnamespace::text NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
            AND relnamespace::regnamespace::text NOT LIKE 'pg_%temp%'
    UNION ALL SELECT concat_ws('/', 'trigger', tgrelid::regclass, tgname, tgenabled)
        FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT concat_ws('/', 'constraint', conrelid::regclass, conname, md5(pg_get_constraintdef(oid)))
        FROM pg_constraint WHERE conrelid <> 0
    UNION ALL SELECT concat_ws('/', 'column', attrelid::regclass, attname, atttypid, attnotnull)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0
    UNION ALL SELECT concat_ws('/', 'function', oid::regprocedure, md5(prosrc)) FROM pg_proc
        WHERE pronamespace <> 'pg_catalog'::regnamespace AND pronamespace <> 'information_schema'::regnamespace
    UNION ALL SELECT concat_ws('/', 'setting', setconfig) FROM pg_db_role_setting
        JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()
) AS shape (thing)
"""


class Shelf:
    """Lends a database to one test after another.

    Args:
        server_url: of a PostgreSQL on which databases can be made.
        template: the database whose copies are lent.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url, self._template = server_url, template
        self._kept = contextlib.ExitStack()
        self._url = ""
        self._loans = 0
        self._shape = ""
        self._seeds: Mapping[str, str] = {}

    @contextlib.contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of a migrated database without other rows than a new one has, for the length of the block."""
        if not self._url:
            self._url = self._kept.enter_context(database(self._server_url, self._template))
            self._loans = 0
            with _connected(self._url) as cursor:
                self._shape = _value(cursor, _SHAPE)
                self._seeds = _rows(cursor)
        self._loans += 1
        try:
            yield self._url
        finally:
            if self._loans >= LOANS or not self._cleared():
                self.close()

    def close(self) -> None:
        """Drop what is on the shelf."""
        self._url = ""
        self._kept.close()

    def _cleared(self) -> bool:
        """Clear the database; False if it can't be made as new."""
        with _connected(self._url) as cursor:
            cursor.execute(_OTHERS, (PATIENCE_MS,))
            if not all(ended for (ended,) in cursor.fetchall()) or _value(cursor, _SHAPE) != self._shape:
                return False
            try:
                cursor.execute("SET session_replication_role = replica")  # append-only tables are cleared as well
            except psycopg2.errors.InsufficientPrivilege:
                return False  # on a given server
            tables, sequences = _names(cursor, _TABLES), _names(cursor, _SEQUENCES)
            held = [table for table in tables if _emptied(cursor, table)]
            # What is deleted leaves room behind that would be read again and again: plans are looked at by some tests.
            for table in held:
                cursor.execute(f'VACUUM "{table}"')
            cursor.execute(";".join(f'ALTER SEQUENCE "{sequence}" RESTART' for sequence in sequences))
            for table, rows in self._seeds.items():
                cursor.execute(_PUT_BACK.format(table=table), (rows,))
        return True


@contextlib.contextmanager
def _connected(url: str) -> Iterator[psycopg2.extensions.cursor]:
    connection = psycopg2.connect(sqlalchemy.make_url(url).set(drivername="postgresql").render_as_string(False))
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _value(cursor: psycopg2.extensions.cursor, statement: str) -> str:
    cursor.execute(statement)
    [(value,)] = cursor.fetchall()
    return str(value)


def _emptied(cursor: psycopg2.extensions.cursor, table: str) -> bool:
    cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608 - one of the catalog's own names
    return bool(cursor.rowcount)


def _names(cursor: psycopg2.extensions.cursor, statement: str) -> list[str]:
    cursor.execute(statement)
    return [str(name) for (name,) in cursor.fetchall()]


def _rows(cursor: psycopg2.extensions.cursor) -> dict[str, str]:
    """Return what each table holds that is not empty, as JSON."""
    rows = {table: _value(cursor, _HELD.format(table=table)) for table in _names(cursor, _TABLES)}
    return {table: held for table, held in rows.items() if held != NONE}
