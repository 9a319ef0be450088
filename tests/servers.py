"""Fixtures: the Redis and PostgreSQL that tests run against.

Embedded ones by default, one pair for each xdist worker; or the given ones of TOLLGATE_TEST_REDIS_URL and
TOLLGATE_TEST_DATABASE_URL, on which a run touches only its own key prefixes and databases. Tests that kill or
reconfigure servers use `owned_valkey` and `owned_postgres`, which are always theirs alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import sqlalchemy

from sandbox.servers import BinaryMissingError, Postgres, Valkey, with_postgres, with_valkey
from tests.databases import database
from tests.shelf import Shelf

REDIS_VARIABLE = "TOLLGATE_TEST_REDIS_URL"
DATABASE_VARIABLE = "TOLLGATE_TEST_DATABASE_URL"
DELETE_BATCH = 500  # keys in one UNLINK


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis shared by many tests; keep to `redis_prefix` on it."""
    given = os.environ.get(REDIS_VARIABLE)
    if given:
        yield given
        return
    try:
        with with_valkey() as server:
            yield server.url
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def redis_prefix(redis_url: str) -> Iterator[str]:
    """A key prefix for this test alone; what is under it is deleted afterwards."""
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    yield prefix
    with redis.Redis.from_url(redis_url) as client:
        batch: list[bytes] = []
        for key in client.scan_iter(match=f"{prefix}*", count=DELETE_BATCH):
            batch.append(key)
            if len(batch) == DELETE_BATCH:
                client.unlink(*batch)
                batch.clear()
        if batch:
            client.unlink(*batch)


@pytest.fixture(scope="session")
def database_server_url() -> Iterator[str]:
    """A PostgreSQL shared by many tests, with the right to create databases; make no tables in it."""
    given = os.environ.get(DATABASE_VARIABLE)
    if given:
        yield given
        return
    try:
        with with_postgres(fsync=False) as server:
            yield server.url
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def migrated_template(database_server_url: str) -> Iterator[str]:
    """The name of a migrated database that `database_url` copies; nobody may stay connected to it."""
    from models import migrations  # noqa: PLC0415 - alembic and all tables load only for tests that need a database

    with database(database_server_url) as url:
        migrations.upgrade(url)
        name = sqlalchemy.make_url(url).database
        assert name is not None
        yield name


@pytest.fixture(scope="session")
def shelf(database_server_url: str, migrated_template: str) -> Iterator[Shelf]:
    """From which `database_url` is lent."""
    opened = Shelf(database_server_url, migrated_template)
    yield opened
    opened.close()


@pytest.fixture
def database_url(shelf: Shelf) -> Iterator[str]:
    """A migrated, empty database, for this test alone until it ends."""
    with shelf.lend() as url:
        yield url


@pytest.fixture
def empty_database_url(database_server_url: str) -> Iterator[str]:
    """A database for this test alone, without any table."""
    with database(database_server_url) as url:
        yield url


@pytest.fixture
def owned_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test's own, to kill, freeze and restart."""
    try:
        with with_valkey(tmp_path / "valkey", password=secrets.token_hex(16)) as server:
            yield server
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def owned_postgres() -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, to kill, freeze and restart; durable, and without tables."""
    try:
        with with_postgres() as server:
            yield server
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def owned_database_url(owned_postgres: Postgres) -> str:
    """A migrated database on the test's own PostgreSQL."""
    from models import migrations  # noqa: PLC0415 - as in migrated_template

    migrations.upgrade(owned_postgres.url)
    return owned_postgres.url
