"""Databases of a test run: made on one server under names of their own, and dropped again."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import sqlalchemy
from sqlalchemy.pool import NullPool

PREFIX = "tollgate_test_"


def new_name() -> str:
    """A database name that no other test, worker or run uses."""
    return f"{PREFIX}{secrets.token_hex(6)}"


def url_of(server_url: str, database: str) -> str:
    """The server's URL with another database in it."""
    url = sqlalchemy.make_url(server_url).set(database=database)
    return url.render_as_string(hide_password=False)


@contextlib.contextmanager
def database(server_url: str, template: str = "template0") -> Iterator[str]:
    """The URL of a fresh copy of `template` for the length of the block; then whoever still uses it is cut off."""
    name = new_name()
    execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield url_of(server_url, name)
    finally:
        execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def execute(server_url: str, statement: str) -> None:
    """Run one statement outside of any transaction."""
    url = sqlalchemy.make_url(server_url).set(drivername="postgresql+psycopg2")
    engine = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(statement))
    finally:
        engine.dispose()
