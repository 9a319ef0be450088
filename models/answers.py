"""How long PostgreSQL may take to answer, by this side's clock.

Its own time limits do not strike when it is frozen, nor when the link swallows what it sends: libpq would wait for as
long as the kernel sees the peer. psycopg2 hands all its waiting to one callback of the process, and this one gives up
in time.
(https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries)
"""

import select
import time
from typing import Any

import psycopg2  # type: ignore[import-untyped]  # psycopg2 has no types
from psycopg2 import extensions

MILLISECONDS = 1000
FOR_EVER = -1  # of poll(): connections made without `limited` wait for answers as libpq does


class LimitedConnection(extensions.connection):  # type: ignore[misc]  # psycopg2 has no types
    """A connection whose connecting and whose answers have a time limit, in seconds; see `limited`."""

    connect_limit = 0.0
    answer_limit = 0.0


def limited(*, connect: float, answer: float) -> type[LimitedConnection]:
    """Return a `connection_factory` for psycopg2 whose connections give up in time.

    A connection that gave up is closed and raises `psycopg2.OperationalError`; what it was asked may have been done.

    Args:
        connect: seconds to connect, from the first packet to the server's readiness.
        answer: seconds for one answer. It should exceed the statement timeout, so that the server gives up first, and
            the connection survives.
    """
    extensions.set_wait_callback(_wait)
    return type("LimitedConnection", (LimitedConnection,), {"connect_limit": connect, "answer_limit": answer})


def _wait(connection: Any) -> None:
    deadline = _deadline(connection)
    while (state := connection.poll()) != extensions.POLL_OK:
        if state not in {extensions.POLL_READ, extensions.POLL_WRITE}:
            raise psycopg2.OperationalError(f"libpq reports the state {state}, which is none")
        waiting = select.poll()  # anew each time: connecting may change the socket
        waiting.register(connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT)
        if not waiting.poll(_left(deadline)):
            raise psycopg2.OperationalError("PostgreSQL did not answer in time")


def _deadline(connection: Any) -> float | None:
    connecting = connection.status == extensions.STATUS_SETUP
    if not isinstance(connection, LimitedConnection):
        return time.monotonic() + _asked_for(connection) if connecting and _asked_for(connection) else None
    return time.monotonic() + (connection.connect_limit if connecting else connection.answer_limit)


def _asked_for(connection: Any) -> float:
    """Return the `connect_timeout` that libpq itself would keep, did the callback not wait in its place; 0 for none."""
    return float(extensions.parse_dsn(connection.dsn).get("connect_timeout", 0))


def _left(deadline: float | None) -> float:
    return FOR_EVER if deadline is None else max(0.0, deadline - time.monotonic()) * MILLISECONDS
