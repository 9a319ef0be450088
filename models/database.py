"""Connections: one engine a process, with a bounded pool and a time limit on everything."""

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

import models.tables  # noqa: F401 - whoever opens the database knows all tables, or foreign keys can't be resolved
from config.settings import DatabaseSettings
from models.answers import limited

# A process that freezes with a transaction open holds its rows' locks, and nobody can rescue what it holds: its session
# must end well before its jobs' leases do, so that a freeze costs no more time than a death.
IDLE_IN_TRANSACTION_SECONDS = 10.0
# A frozen peer is noticed after some 9 s without an answer to keepalives, since no query timeout covers a dead link.
_KEEPALIVES = {"keepalives": 1, "keepalives_idle": 3, "keepalives_interval": 2, "keepalives_count": 3}
TCP_USER_TIMEOUT_MS = 10_000  # the same for data that was sent and is never acknowledged
# The server gives up at the statement timeout; this is how much later the client does, should the server be frozen.
ANSWER_MARGIN_SECONDS = 1.0
MILLISECONDS = 1000


def psycopg_url(url: str) -> str:
    """Return the address with the driver named, whichever common form it was given in."""
    return make_url(url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def create_database_engine(settings: DatabaseSettings, application: str, *, ping: bool = True) -> Engine:
    """Return an engine whose connections limit their statements, locks and waiting.

    Args:
        settings: where PostgreSQL is, and the limits.
        application: who connects, as PostgreSQL shows it.
        ping: whether connections are checked before use.
    """
    limits = {
        "statement_timeout": settings.statement_timeout,
        "lock_timeout": settings.lock_timeout,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_SECONDS,
    }
    return create_engine(
        psycopg_url(settings.url),
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout,
        pool_pre_ping=ping,
        hide_parameters=True,  # an error's text ends up in logs, its parameters must not
        connect_args={
            "connection_factory": limited(
                connect=settings.connect_timeout, answer=settings.statement_timeout + ANSWER_MARGIN_SECONDS
            ),
            "connect_timeout": settings.connect_timeout,
            "application_name": f"tollgate {application}",
            "options": " ".join(f"-c {name}={int(value * MILLISECONDS)}" for name, value in limits.items())
            + " -c timezone=UTC",
            "tcp_user_timeout": TCP_USER_TIMEOUT_MS,
            **_KEEPALIVES,
        },
    )
