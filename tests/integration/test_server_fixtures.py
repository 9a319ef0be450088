"""The fixtures that give each test a corner of its own on shared servers."""

from __future__ import annotations

import pytest
import redis
import sqlalchemy
from sqlalchemy.pool import NullPool

from tests.databases import PREFIX, database, execute

pytestmark = pytest.mark.servers


def tables(url: str) -> set[str]:
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool
    )
    try:
        return set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


@pytest.mark.parametrize("life", ["first", "second"])
def test_each_test_has_a_migrated_database_of_its_own(database_url: str, life: str) -> None:
    assert "jobs" in tables(database_url)
    assert "mine" not in tables(database_url)
    execute(database_url, "CREATE TABLE mine (number int)")
    assert "mine" in tables(database_url)


def test_an_empty_database_has_no_table(empty_database_url: str) -> None:
    assert tables(empty_database_url) == set()


def test_a_database_is_gone_after_its_block_even_if_someone_is_connected(database_server_url: str) -> None:
    with database(database_server_url) as url:
        assert PREFIX in url
        engine = sqlalchemy.create_engine(sqlalchemy.make_url(url).set(drivername="postgresql+psycopg2"))
        connection = engine.connect()
    connection.invalidate()
    connection.close()
    with pytest.raises(sqlalchemy.exc.OperationalError, match="does not exist"):
        tables(url)
    engine.dispose()


prefixes: list[str] = []


@pytest.mark.parametrize("life", ["first", "second"])
def test_each_test_has_a_key_prefix_of_its_own_that_is_emptied(redis_url: str, redis_prefix: str, life: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        for earlier in prefixes:
            assert list(client.scan_iter(match=f"{earlier}*")) == []
        client.mset({f"{redis_prefix}{number}": number for number in range(1200)})
    assert redis_prefix not in prefixes
    prefixes.append(redis_prefix)
