"""The fixtures that give each test a corner of its own on shared servers."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
import redis
import sqlalchemy
from sqlalchemy.pool import NullPool

from models.database import psycopg_url
from tests.databases import PREFIX, database, execute
from tests.shelf import Shelf

pytestmark = pytest.mark.servers


def tables(url: str) -> set[str]:
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg2"), poolclass=NullPool
    )
    try:
        return set(sqlalchemy.inspect(engine).get_table_names())
    finally:
        engine.dispose()


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(psycopg_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]
    finally:
        engine.dispose()


@pytest.mark.parametrize("life", ["first", "second"])
def test_each_test_has_a_migrated_database_of_its_own(database_url: str, life: str) -> None:
    assert "jobs" in tables(database_url)
    assert "mine" not in tables(database_url)
    execute(database_url, "CREATE TABLE mine (number int)")
    assert "mine" in tables(database_url)


def test_what_a_test_left_in_its_database_is_gone_for_the_next(
    database_server_url: str, migrated_template: str
) -> None:
    with closing(Shelf(database_server_url, migrated_template)) as shelf:
        with shelf.lend() as first:
            execute(first, "INSERT INTO clients (id, name) VALUES ('left', 'behind')")
            execute(first, "INSERT INTO history (noun, subject_id, new, source) VALUES ('job', 'a', 'ready', 'job')")
            execute(first, "DELETE FROM moves")
            execute(first, "UPDATE projection_epoch SET epoch = 7")
        with shelf.lend() as second:
            assert second == first
            assert rows(second, "SELECT id FROM clients WHERE id = 'left'") == []
            assert rows(second, "SELECT id FROM history") == []
            assert rows(second, "SELECT epoch FROM projection_epoch") == [(1,)]
            assert rows(second, "SELECT count(*) > 10 FROM moves") == [(True,)]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE ledger_entries DISABLE TRIGGER USER",
        "CREATE TABLE mine (number int)",
        "ALTER TABLE clients ADD COLUMN more text",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
    ids=["trigger", "table", "column", "function"],
)
def test_a_database_of_another_shape_is_not_lent_again(
    database_server_url: str, migrated_template: str, change: str
) -> None:
    with closing(Shelf(database_server_url, migrated_template)) as shelf:
        with shelf.lend() as first:
            execute(first, change)
        with shelf.lend() as second:
            assert second != first


def test_whoever_is_still_connected_to_a_database_that_was_given_back_is_cut_off(
    database_server_url: str, migrated_template: str
) -> None:
    with closing(Shelf(database_server_url, migrated_template)) as shelf:
        with shelf.lend() as first:
            engine = sqlalchemy.create_engine(psycopg_url(first))
            left_open = engine.connect()
            left_open.exec_driver_sql("LOCK TABLE clients")
        with shelf.lend() as second:
            assert second == first
            assert rows(second, "SELECT count(*) > 0 FROM moves") == [(True,)]
        with pytest.raises(sqlalchemy.exc.OperationalError):
            left_open.exec_driver_sql("SELECT 1")
        engine.dispose()


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
