"""Settings of the stores: where Redis, the broker and PostgreSQL are, and how long to wait for them."""

from dataclasses import dataclass, field

from config.environment import Reader
from config.keyspace import Keyspace


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is and how long to wait for it (seconds). It is never asked twice: the caller decides."""

    url: str = field(repr=False)
    keyspace: Keyspace
    connect_timeout: float
    socket_timeout: float
    pool_size: int


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where PostgreSQL is, how many connections a process may hold, and how long anything may take (seconds)."""

    url: str = field(repr=False)
    pool_size: int
    pool_timeout: float
    connect_timeout: int
    statement_timeout: float
    lock_timeout: float


def read_keyspace(read: Reader) -> Keyspace:
    """Read under which prefix Redis's keys lie."""
    return Keyspace(read.text("TOLLGATE_REDIS_PREFIX", "tg:"))


def read_redis_url(read: Reader) -> str:
    """Read where Redis is."""
    return read.address("TOLLGATE_REDIS_URL", ("redis", "rediss", "unix"))


def read_broker(read: Reader, redis_url: str) -> str:
    """Read where Celery's broker is: by default the Redis at that address."""
    # Celery writes a socket's address in a way of its own, so that one must be written out.
    return read.address("TOLLGATE_BROKER_URL", ("redis", "rediss", "redis+socket", "amqp", "amqps"), redis_url)


def read_redis(read: Reader) -> RedisSettings:
    """Read where Redis is and how long to wait for it."""
    return RedisSettings(
        url=read_redis_url(read),
        keyspace=read_keyspace(read),
        # The door must answer 503 within two seconds, so one connect and one read must fit well inside.
        connect_timeout=read.seconds("TOLLGATE_REDIS_CONNECT_TIMEOUT", 0.5),
        socket_timeout=read.seconds("TOLLGATE_REDIS_SOCKET_TIMEOUT", 1.0),
        pool_size=read.whole("TOLLGATE_REDIS_POOL_SIZE", 64, low=2),
    )


def read_database(read: Reader) -> DatabaseSettings:
    """Read where PostgreSQL is and the limits of its use."""
    return DatabaseSettings(
        url=read.database_address("TOLLGATE_DATABASE_URL"),
        pool_size=read.whole("TOLLGATE_DATABASE_POOL_SIZE", 10, low=1),
        pool_timeout=read.seconds("TOLLGATE_DATABASE_POOL_TIMEOUT", 5.0),
        connect_timeout=read.whole("TOLLGATE_DATABASE_CONNECT_TIMEOUT", 3, low=1),
        statement_timeout=read.seconds("TOLLGATE_DATABASE_STATEMENT_TIMEOUT", 5.0),
        lock_timeout=read.seconds("TOLLGATE_DATABASE_LOCK_TIMEOUT", 2.0),
    )
