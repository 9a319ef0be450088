"""All that a worker or dispatcher process holds open, made once and passed in."""

import os
import random
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis import Redis
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError
from config.settings import WorkerSettings
from models.database import create_database_engine
from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from workers.gateways.stripe import StripeGateway, stripe_breaker
from workers.gateways.website import WebsiteGateway
from workers.redis_client import create_redis
from workers.resilience.link import BreakerLink

NAME_BYTES = 4  # of chance: no two lives of a process share a name


@dataclass(frozen=True, slots=True)
class Runtime:
    """The process's settings and connections, and its source of randomness (0 to 1)."""

    name: str
    settings: WorkerSettings
    engine: Engine
    redis: Redis
    stripe: StripeGateway
    websites: WebsiteGateway
    random: Callable[[], float]
    breaker_link: BreakerLink | None = None

    @contextmanager
    def transaction(self, step: Step) -> Iterator[Session]:
        """Commit at the end of the block, or roll back. The commit is this step's effect.

        Raises:
            DatabaseAwayError: if PostgreSQL went away, or the pool has no connection to give.
        """
        with self._session() as session:
            yield session
            session.flush()
            with step:
                session.commit()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Read in one transaction, in which PostgreSQL refuses every write.

        Raises:
            DatabaseAwayError: if PostgreSQL went away, or the pool has no connection to give.
        """
        with self._session() as session:
            session.connection(execution_options={"postgresql_readonly": True})
            yield session

    @contextmanager
    def _session(self) -> Iterator[Session]:
        """Open a session; what it did not commit is rolled back at its end."""
        try:
            with Session(self.engine) as session:
                yield session
        except PoolTimeoutError as error:
            raise DatabaseAwayError("no connection to PostgreSQL was free in time") from error
        except DBAPIError as error:
            if error.connection_invalidated or _is_away(error):
                raise DatabaseAwayError(f"PostgreSQL went away: {type(error.orig).__name__}") from error
            raise

    def close(self) -> None:
        """Close every connection."""
        if self.breaker_link is not None:
            self.breaker_link.close()
        self.stripe.close()
        self.redis.close()
        self.engine.dispose()


# 57P is a shutdown or a crash, class 08 a broken connection, 53 out of resources; no code at all means that the server
# was never reached. (https://www.postgresql.org/docs/current/errcodes-appendix.html)
_AWAY_CODES = ("57P", "08", "53")


def _is_away(error: DBAPIError) -> bool:
    code = getattr(error.orig, "pgcode", None)
    return isinstance(error, OperationalError | InterfaceError) and (code is None or code.startswith(_AWAY_CODES))


# Waiting for another transaction was given up: lock timeout, deadlock, statement timeout, serialization failure.
_HELD_UP_CODES = frozenset({"55P03", "40P01", "57014", "40001"})


def is_held_up(error: BaseException) -> bool:
    """Tell whether a statement failed only because of what other transactions hold: later it will do."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "pgcode", None) in _HELD_UP_CODES


def create_runtime(settings: WorkerSettings, role: str, *, shares_breaker: bool = False) -> Runtime:
    """Open what a process of that role needs; nothing is connected until it is used.

    Args:
        settings: of the process.
        role: names the process and its connections.
        shares_breaker: whether it calls Stripe, and so tells other processes how that went, and hears from them.
    """
    stripe = settings.stripe
    breaker = stripe_breaker(stripe)
    link: BreakerLink | None = None
    if shares_breaker:
        key = settings.redis.keyspace.breaker(breaker.name)
        link = BreakerLink(breaker, create_redis(settings.redis), key)
        link.start()
    return Runtime(
        # A container that starts again has the same host name and process id: its sign of life must not pass for that
        # of the process that died in it.
        name=f"{role}@{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(NAME_BYTES)}",
        settings=settings,
        engine=create_database_engine(settings.database, role),
        redis=create_redis(settings.redis),
        stripe=StripeGateway(stripe, breaker, system=system_id(settings.derivation_key)),
        websites=WebsiteGateway(settings.websites, width=settings.concurrency // 2),
        random=random.SystemRandom().random,
        breaker_link=link,
    )
