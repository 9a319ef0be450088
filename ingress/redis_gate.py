"""The ingress's way to Redis: short timeouts, no second try, and an answer at once while Redis is away.

Whoever asks learns whether the command can have had an effect: `NotSentError` says no, `AnswerLostError` says perhaps.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from redis.backoff import NoBackoff
from redis.connection import BlockingConnectionPool, Connection
from redis.exceptions import BusyLoadingError, RedisError, ResponseError
from redis.retry import Retry

from config.errors import RedisAwayError
from config.settings import RedisSettings

FAILURES_TO_OPEN = 3  # in a row: one lost packet is no outage, and three stuck threads are enough
OPEN_SECONDS = 1.0  # Redis restarts within seconds; a longer pause would only add to the outage
POOL_WAIT = 0.25  # seconds; a pool as large as the number of threads is never waited for
RESP2 = 2  # the replies' form does not depend on the server's age, and connecting takes no HELLO


class NotSentError(RedisAwayError):
    """Redis does not answer; nothing was sent."""


class GateClosedError(NotSentError):
    """Redis has not answered lately: for a moment it is not asked at all."""


class AnswerLostError(RedisAwayError):
    """Redis did not answer in time: the command may have taken effect."""


class RedisGate:
    """Sends commands over pooled connections, and after a few failures in a row answers for Redis for a second.

    Args:
        pool: its connections must not retry.
        monotonic: a clock in seconds.
    """

    def __init__(self, pool: BlockingConnectionPool, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_until = 0.0
        self._probing = False

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        """Send the commands in one go and return their replies (RESP2); an error reply stands in its place.

        Raises:
            NotSentError: Redis is away, or the gate is closed; nothing was sent.
            AnswerLostError: the connection failed after sending.
        """
        probe = self._admit()
        answered = False
        try:
            replies = self._ask(commands)
            answered = True
        finally:
            self._note(answered=answered, probe=probe)
        return replies

    def ask_one(self, *command: Any) -> Any:
        """Send one command and return its reply; an error reply is raised.

        Raises:
            NotSentError: Redis is away, or the gate is closed; nothing was sent.
            AnswerLostError: the connection failed after sending.
            redis.exceptions.ResponseError: Redis refused the command.
        """
        (reply,) = self.ask(command)
        if isinstance(reply, ResponseError):
            raise reply
        return reply

    def close(self) -> None:
        """Close all connections."""
        self._pool.disconnect()

    def _ask(self, commands: tuple[tuple[Any, ...], ...]) -> list[Any]:
        try:
            connection = self._pool.get_connection()  # type: ignore[no-untyped-call]  # redis-py left it untyped
        except (RedisError, OSError) as error:
            raise NotSentError(f"Redis does not answer: {error}") from error
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            return [_reply(connection) for _ in commands]
        except BusyLoadingError as error:
            connection.disconnect()
            raise NotSentError("Redis is loading its data") from error
        except (RedisError, OSError) as error:
            connection.disconnect()
            raise AnswerLostError(f"Redis did not answer: {error}") from error
        finally:
            self._pool.release(connection)  # type: ignore[no-untyped-call]  # redis-py left it untyped

    def _admit(self) -> bool:
        """Let a command pass, or raise; return whether it is the one probe of a closed gate."""
        with self._lock:
            if self._failures < FAILURES_TO_OPEN:
                return False
            if self._probing or self._monotonic() < self._closed_until:
                raise GateClosedError
            self._probing = True
            return True

    def _note(self, *, answered: bool, probe: bool) -> None:
        with self._lock:
            if probe:
                self._probing = False
            if answered:
                self._failures = 0
                return
            self._failures += 1
            if self._failures >= FAILURES_TO_OPEN:
                self._closed_until = self._monotonic() + OPEN_SECONDS


def _reply(connection: Connection) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def connection_pool(settings: RedisSettings, *, size: int, socket_timeout: float) -> BlockingConnectionPool:
    """Return a pool whose connections are made when needed and never retry.

    Args:
        settings: where Redis is.
        size: the most connections.
        socket_timeout: seconds to wait for an answer.
    """
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        settings.url,
        max_connections=size,
        timeout=POOL_WAIT,
        socket_connect_timeout=settings.connect_timeout,
        socket_timeout=socket_timeout,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
        protocol=RESP2,
        driver_info=None,
    )
    return pool
