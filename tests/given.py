"""Which servers this machine offers for tests: run as `python -m tests.given`, it prints shell exports, or nothing.

A server counts when it answers on its standard port of 127.0.0.1 without a password and, for PostgreSQL, lets us create
databases.
"""

from __future__ import annotations

import getpass
import shlex
import sys

import redis
import sqlalchemy
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy.pool import NullPool

from tests.servers import DATABASE_VARIABLE, REDIS_VARIABLE

TIMEOUT_S = 2  # on this machine anything slower is not a server to test with
REDIS_URL = "redis://127.0.0.1:6379/0"
MAY_CREATE_DATABASES = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"


def given_redis() -> str | None:
    """The URL of the Redis on the standard port, if it can be used."""
    with redis.Redis.from_url(
        REDIS_URL, socket_connect_timeout=TIMEOUT_S, socket_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    ) as client:
        try:
            client.ping()
        except redis.RedisError as error:
            _explain("Redis", error)
            return None
    return REDIS_URL


def given_database() -> str | None:
    """The URL of the PostgreSQL on the standard port, if it can be used."""
    for user in ("postgres", getpass.getuser()):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        engine = sqlalchemy.create_engine(
            sqlalchemy.make_url(url).set(drivername="postgresql+psycopg2"),
            poolclass=NullPool,
            connect_args={"connect_timeout": TIMEOUT_S},
        )
        try:
            with engine.connect() as connection:
                if connection.scalar(sqlalchemy.text(MAY_CREATE_DATABASES)):
                    return url
                sys.stderr.write(f"PostgreSQL on 127.0.0.1 is not used: {user} may not create databases there\n")
        except sqlalchemy.exc.OperationalError as error:
            _explain("PostgreSQL", error.orig or error)
        finally:
            engine.dispose()
    return None


def _explain(what: str, error: BaseException) -> None:
    sys.stderr.write(f"{what} on 127.0.0.1 is not used: {str(error).strip().splitlines()[0]}\n")


if __name__ == "__main__":
    for variable, value in ((REDIS_VARIABLE, given_redis()), (DATABASE_VARIABLE, given_database())):
        if value:
            sys.stdout.write(f"export {variable}={shlex.quote(value)}\n")
