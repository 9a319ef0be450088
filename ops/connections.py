"""Connections of one command: opened, closed, and every driver's complaint turned into a clear line."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError, RedisAwayError, TollgateError
from config.settings import DatabaseSettings, RedisSettings
from models.database import create_database_engine
from workers.redis_client import create_redis

UNDEFINED_TABLE = "42P01"  # PostgreSQL, appendix A of its manual


@contextmanager
def database_complaints() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        DatabaseAwayError: PostgreSQL is not reached, or refuses us.
        TollgateError: the tables are not there yet, or a statement failed.
    """
    try:
        yield
    except OperationalError as error:
        raise DatabaseAwayError(f"PostgreSQL does not answer: {one_line(error.orig)}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "pgcode", None) == UNDEFINED_TABLE:
            raise TollgateError("the database has no tables yet: run 'tollgate db migrate' first") from error
        raise TollgateError(f"PostgreSQL refused a statement: {one_line(error.orig)}") from error
    except DBAPIError as error:
        raise TollgateError(f"PostgreSQL refused a statement: {one_line(error.orig)}") from error


@contextmanager
def open_session(settings: DatabaseSettings) -> Iterator[Session]:
    """Open a session for one command; it is committed by whoever uses it. Raises as `database_complaints` does."""
    engine = create_database_engine(settings, "operator")
    try:
        with database_complaints(), Session(engine) as session:
            yield session
    finally:
        engine.dispose()


@contextmanager
def open_redis(settings: RedisSettings) -> Iterator[Redis]:
    """Open a Redis client for one command.

    Raises:
        RedisAwayError: Redis is not reached, or refuses us.
    """
    client = create_redis(settings)
    try:
        with redis_complaints():
            yield client
    finally:
        client.close()


@contextmanager
def redis_complaints() -> Iterator[None]:
    """Turn redis-py's errors into ours; raises RedisAwayError."""
    try:
        yield
    except RedisError as error:
        raise RedisAwayError(f"Redis does not answer: {one_line(error)}") from error


def one_line(error: BaseException | None) -> str:
    """Return what a driver says, on one line."""
    return "; ".join(line.strip().rstrip(".") for line in str(error).splitlines() if line.strip())
