"""Every wait has its limit, against sockets that take nothing, servers that are frozen, and rows that others hold.

What is not here is in the tests that docs/timeouts.md names. Each asserts that the limit struck neither early nor late.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # psycopg2 has no types
import pytest
from redis.exceptions import RedisError
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from config.celery_factory import (
    BROKER_CONNECT_SECONDS,
    BROKER_SOCKET_SECONDS,
    CONSUMER_SOCKET_SECONDS,
    create_celery,
)
from config.errors import DatabaseAwayError, RedisAwayError
from config.keyspace import Keyspace
from config.settings import DatabaseSettings, RedisSettings
from ingress.redis_gate import POOL_WAIT, NotSentError, RedisGate, connection_pool
from models import database
from models.database import TCP_USER_TIMEOUT_MS, create_database_engine
from ops.connections import database_complaints, open_redis, open_session
from sandbox.servers import Postgres, Valkey
from tasks.publisher import PRODUCER_SECONDS, send
from tests.unit.workers.gateways.scripted import blackhole
from workers.database_watch import ANSWER_SECONDS, CONNECT_SECONDS, database_watch
from workers.jobs.publish import Hint
from workers.redis_client import create_redis

SLACK_S = 1.0  # what a busy machine may add
EARLY_S = 0.1  # what clocks may take away
HINT = Hint("job_1", "payments.create", "payments")


@contextlib.contextmanager
def strikes(after: float, error: type[Exception] | tuple[type[Exception], ...]) -> Iterator[None]:
    """Expect an error after so many seconds, neither much earlier nor much later."""
    started = time.monotonic()
    with pytest.raises(error):
        yield
    assert after - EARLY_S <= time.monotonic() - started < after + SLACK_S


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port whose connections are never taken."""
    with blackhole() as base:
        yield int(base.rpartition(":")[2])


def redis_settings(url: str, **changes: Any) -> RedisSettings:
    limits: dict[str, Any] = {"connect_timeout": 0.4, "socket_timeout": 0.8, "pool_size": 2, **changes}
    return RedisSettings(url, Keyspace("t:"), **limits)


def database_settings(url: str, **changes: Any) -> DatabaseSettings:
    limits: dict[str, Any] = {
        "pool_size": 2,
        "pool_timeout": 0.5,
        "connect_timeout": 1,
        "statement_timeout": 0.5,
        "lock_timeout": 0.3,
        **changes,
    }
    return DatabaseSettings(url, **limits)


@contextlib.contextmanager
def engine_for(url: str, **changes: Any) -> Iterator[Engine]:
    engine = create_database_engine(database_settings(url, **changes), "test")
    try:
        yield engine
    finally:
        engine.dispose()


# Redis


def test_the_door_stops_connecting_to_a_redis_that_takes_no_connection(nobody: int) -> None:
    settings = redis_settings(f"redis://127.0.0.1:{nobody}/0")
    gate = RedisGate(connection_pool(settings, size=2, socket_timeout=settings.socket_timeout))
    with strikes(settings.connect_timeout, NotSentError):
        gate.ask_one("PING")


@pytest.mark.servers
def test_the_door_waits_for_a_free_connection_no_longer_than_its_share(redis_url: str) -> None:
    settings = redis_settings(redis_url)
    pool = connection_pool(settings, size=1, socket_timeout=settings.socket_timeout)
    held = pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py left it untyped
    with strikes(POOL_WAIT, NotSentError):
        RedisGate(pool).ask_one("PING")
    pool.release(held)  # type: ignore[no-untyped-call]  # redis-py left it untyped
    pool.disconnect()


def test_workers_stop_connecting_to_a_redis_that_takes_no_connection(nobody: int) -> None:
    settings = redis_settings(f"redis://127.0.0.1:{nobody}/0")
    with create_redis(settings) as client, strikes(settings.connect_timeout, RedisError):
        client.ping()


@pytest.mark.owns_servers
def test_workers_stop_waiting_for_a_redis_that_is_frozen(owned_valkey: Valkey) -> None:
    settings = redis_settings(owned_valkey.url)
    with create_redis(settings) as client:
        client.ping()
        owned_valkey.freeze()
        with strikes(settings.socket_timeout, RedisError):
            client.ping()
        owned_valkey.thaw()


@pytest.mark.servers
def test_workers_wait_for_a_free_connection_to_redis_no_longer_than_for_an_answer(redis_url: str) -> None:
    settings = redis_settings(redis_url, pool_size=1)
    with create_redis(settings) as client:
        held = client.connection_pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py left it untyped
        with strikes(settings.socket_timeout, RedisError):
            client.ping()
        client.connection_pool.release(held)  # type: ignore[no-untyped-call]  # redis-py left it untyped


# The broker


def unsent(url: str) -> float:
    """Return how long it takes to find that a hint can't be sent."""
    app = create_celery(broker_url=url, keyspace=Keyspace("t:"), publishes_only=True)
    started = time.monotonic()
    try:
        assert send(app, [HINT]) == [HINT]
        return time.monotonic() - started
    finally:
        app.pool.force_close_all()  # type: ignore[attr-defined]  # a kombu pool
        app.close()


def test_a_hint_is_given_up_whose_broker_takes_no_connection(nobody: int) -> None:
    seconds = unsent(f"redis://127.0.0.1:{nobody}/0")
    assert BROKER_CONNECT_SECONDS - EARLY_S <= seconds < BROKER_CONNECT_SECONDS + PRODUCER_SECONDS + SLACK_S


@pytest.mark.owns_servers
def test_a_hint_is_given_up_whose_broker_is_frozen(owned_valkey: Valkey) -> None:
    owned_valkey.freeze()
    seconds = unsent(owned_valkey.url)
    owned_valkey.thaw()
    assert BROKER_SOCKET_SECONDS - EARLY_S <= seconds < BROKER_SOCKET_SECONDS + PRODUCER_SECONDS + SLACK_S


@pytest.mark.owns_servers
def test_a_worker_notices_that_its_broker_is_frozen(owned_valkey: Valkey) -> None:
    app = create_celery(broker_url=owned_valkey.url, keyspace=Keyspace("t:"))
    with app.connection_for_read() as connection:
        channel = connection.default_channel
        channel.client.ping()
        owned_valkey.freeze()
        with strikes(CONSUMER_SOCKET_SECONDS, RedisError):
            channel.client.ping()
        owned_valkey.thaw()
    app.close()


# PostgreSQL


def test_connecting_to_a_postgresql_that_takes_no_connection_ends(nobody: int) -> None:
    with engine_for(f"postgresql://u@127.0.0.1:{nobody}/x") as engine, strikes(1.0, DBAPIError):
        engine.connect()


@pytest.mark.owns_servers
def test_connecting_to_a_frozen_postgresql_ends(owned_postgres: Postgres) -> None:
    owned_postgres.freeze()
    with engine_for(owned_postgres.url) as engine, strikes(1.0, DBAPIError):
        engine.connect()
    owned_postgres.thaw()


@pytest.mark.owns_servers
def test_a_connection_made_without_our_limits_keeps_the_one_that_it_asks_for(owned_postgres: Postgres) -> None:
    """Our waiting serves the whole process, and so libpq's own limit no longer strikes."""
    with engine_for(owned_postgres.url):
        owned_postgres.freeze()
        with strikes(2.0, psycopg2.OperationalError):
            psycopg2.connect(owned_postgres.url, connect_timeout=2)
    owned_postgres.thaw()


@pytest.mark.servers
def test_a_statement_that_takes_too_long_is_ended_by_postgresql_and_the_connection_lives_on(database_url: str) -> None:
    with engine_for(database_url) as engine, engine.connect() as connection:
        with strikes(0.5, DBAPIError):
            connection.execute(text("SELECT pg_sleep(10)"))
        connection.rollback()
        assert connection.execute(text("SELECT 1")).scalar_one() == 1


@pytest.mark.owns_servers
def test_an_answer_that_a_frozen_postgresql_owes_is_given_up_after_the_statements_limit(
    owned_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_MARGIN_SECONDS", 0.7)
    with engine_for(owned_postgres.url) as engine, engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        owned_postgres.freeze()
        with strikes(0.5 + 0.7, DBAPIError):
            connection.execute(text("SELECT 1"))
        owned_postgres.thaw()


@pytest.mark.servers
def test_a_lock_that_another_holds_is_waited_for_no_longer_than_its_limit(database_url: str) -> None:
    lock = text("SELECT pg_advisory_xact_lock(1)")
    with engine_for(database_url) as engine, engine.begin() as holder, engine.connect() as waiter:
        holder.execute(lock)
        with strikes(0.3, DBAPIError):
            waiter.execute(lock)


@pytest.mark.servers
def test_a_free_connection_to_postgresql_is_waited_for_no_longer_than_its_limit(database_url: str) -> None:
    with engine_for(database_url, pool_size=1) as engine, engine.connect(), strikes(0.5, PoolTimeoutError):
        engine.connect()


@pytest.mark.servers
def test_a_transaction_that_is_forgotten_loses_its_locks(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "IDLE_IN_TRANSACTION_SECONDS", 0.5)
    with engine_for(database_url, lock_timeout=5.0, statement_timeout=5.0) as engine:
        forgotten = engine.connect()
        forgotten.execute(text("SELECT pg_advisory_xact_lock(2)"))
        started = time.monotonic()
        with engine.begin() as other:
            other.execute(text("SELECT pg_advisory_xact_lock(2)"))
        assert 0.5 - EARLY_S <= time.monotonic() - started < 0.5 + SLACK_S
        with pytest.raises(DBAPIError):
            forgotten.execute(text("SELECT 1"))
        forgotten.invalidate()
        forgotten.close()


@pytest.mark.servers
def test_the_kernel_gives_a_dead_link_to_postgresql_up(database_url: str) -> None:
    """A loopback link can't die, so that what the kernel was told is looked at instead."""
    with engine_for(database_url) as engine, engine.connect() as connection:
        raw = connection.connection.dbapi_connection
        assert raw is not None
        with socket.socket(fileno=os.dup(raw.fileno())) as copy:  # type: ignore[attr-defined]  # psycopg2 has no types
            if copy.family == socket.AF_UNIX:
                pytest.skip("PostgreSQL is reached by a socket of this machine, which has no link")
            assert copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == TCP_USER_TIMEOUT_MS
            assert copy.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            idle, pause, tries = (
                copy.getsockopt(socket.IPPROTO_TCP, option)
                for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            )
            assert idle + pause * tries < TCP_USER_TIMEOUT_MS / 1000


@pytest.mark.owns_servers
def test_a_watch_notices_a_frozen_postgresql(owned_postgres: Postgres) -> None:
    settings = database_settings(owned_postgres.url, statement_timeout=5.0, connect_timeout=3)
    watch = database_watch(settings, "test")
    watch.probe_once()
    assert watch.is_there
    owned_postgres.freeze()
    started = time.monotonic()
    watch.probe_once()
    owned_postgres.thaw()
    limit = max(CONNECT_SECONDS, ANSWER_SECONDS + database.ANSWER_MARGIN_SECONDS)
    assert CONNECT_SECONDS - EARLY_S <= time.monotonic() - started < limit + SLACK_S
    assert not watch.is_there


# The command line


def timed(do: Callable[[], object]) -> tuple[float, Exception | None]:
    started = time.monotonic()
    try:
        do()
    except (DatabaseAwayError, RedisAwayError) as error:
        return time.monotonic() - started, error
    return time.monotonic() - started, None


def test_a_command_says_in_time_that_postgresql_does_not_answer(nobody: int) -> None:
    def ask() -> None:
        settings = database_settings(f"postgresql://u@127.0.0.1:{nobody}/x")
        with open_session(settings) as session, database_complaints():
            session.execute(text("SELECT 1"))

    seconds, error = timed(ask)
    assert isinstance(error, DatabaseAwayError)
    assert 1.0 - EARLY_S <= seconds < 1.0 + SLACK_S


def test_a_command_says_in_time_that_redis_does_not_answer(nobody: int) -> None:
    def ask() -> None:
        with open_redis(redis_settings(f"redis://127.0.0.1:{nobody}/0")) as client:
            client.ping()

    seconds, error = timed(ask)
    assert isinstance(error, RedisAwayError)
    assert 0.4 - EARLY_S <= seconds < 0.4 + SLACK_S
