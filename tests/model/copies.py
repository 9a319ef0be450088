"""Copies of the whole database: taken, and put back as a restore does, within a few milliseconds."""

from __future__ import annotations

import psycopg2.extensions

from models.tables import METADATA

SEQUENCE = "job_publish_numbers"


class Copies:
    """Copies of all tables by name, kept in a schema beside them."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        self._tables = [table.name for table in METADATA.sorted_tables]  # referenced tables come first
        self._numbers: dict[str, int] = {}
        with connection.cursor() as cursor:
            cursor.execute("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
            self._guarded = [name for (name,) in cursor.fetchall()]  # append-only, but for a restore

    def prepare(self, copy: str) -> None:
        """Make room for a copy of that name."""
        self._run(*(f"CREATE TABLE copies.{copy}_{table} (LIKE public.{table})" for table in self._tables))

    def take(self, copy: str) -> None:
        """Copy everything, over what was copied before under that name."""
        self._run(
            *(f"DELETE FROM copies.{copy}_{table}" for table in self._tables),  # noqa: S608 - our own tables
            *(f"INSERT INTO copies.{copy}_{table} TABLE public.{table}" for table in self._tables),
        )
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT last_value FROM {SEQUENCE}")  # noqa: S608 - a constant
            [(self._numbers[copy],)] = cursor.fetchall()

    def put_back(self, copy: str) -> None:
        """Let the database be as it was when the copy was taken."""
        self._run(
            *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in self._guarded),
            *(f"DELETE FROM public.{table}" for table in reversed(self._tables)),  # noqa: S608 - our own tables
            *(
                f"INSERT INTO public.{table} OVERRIDING SYSTEM VALUE TABLE copies.{copy}_{table}"
                for table in self._tables
            ),
            *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in self._guarded),
            f"SELECT setval('{SEQUENCE}', {self._numbers[copy]})",
        )

    def _run(self, *statements: str) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute("BEGIN; " + "; ".join(statements) + "; COMMIT")
