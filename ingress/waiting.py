"""Waiting for a job's outcome: a bounded number of requests read its expiring stream, over connections of their own.

The worker appends to the stream after it has projected the views, so whoever is woken reads the news.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from redis.connection import BlockingConnectionPool
from redis.exceptions import RedisError

from config.errors import RedisAwayError
from config.settings import IngressSettings
from ingress.redis_gate import RedisGate, connection_pool

LONGEST_WAIT = 10  # seconds; the longest that a client may ask for
MARGIN = 1.0  # seconds that a connection outlasts the longest wait by: a shorter socket timeout would end it
FIRST = b"0"  # reads the stream from its beginning, so that no news is missed


class WaitingRoom:
    """Lets a bounded number of requests wait; beyond that, nobody waits.

    Args:
        seats: how many may wait at once.
        monotonic: a clock in seconds.
    """

    def __init__(
        self, pool: BlockingConnectionPool, seats: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._gate = RedisGate(pool, monotonic)
        self._seats = threading.BoundedSemaphore(seats) if seats else None
        self._monotonic = monotonic

    def wait(self, stream: str, seconds: float, finished: Callable[[], bool]) -> bool:
        """Wait until `finished` says so, asking it after every piece of news; return whether there was a seat.

        Returns early, and quietly, if Redis fails: what was accepted stays accepted.
        """
        if self._seats is None or not self._seats.acquire(blocking=False):
            return False
        try:
            self._follow(stream, self._monotonic() + seconds, finished)
        except (RedisAwayError, RedisError):
            return True
        finally:
            self._seats.release()
        return True

    def close(self) -> None:
        """Close all connections."""
        self._gate.close()

    def _follow(self, stream: str, deadline: float, finished: Callable[[], bool]) -> None:
        last = FIRST
        while (left := round((deadline - self._monotonic()) * 1000)) > 0:  # BLOCK 0 would be for ever
            reply: Any = self._gate.ask_one("XREAD", "COUNT", 100, "BLOCK", left, "STREAMS", stream, last)
            if not reply or finished():
                return
            last = reply[0][1][-1][0]


def waiting_room(settings: IngressSettings) -> WaitingRoom:
    """Return the waiting room of one process."""
    pool = connection_pool(settings.redis, size=max(1, settings.max_waiters), socket_timeout=LONGEST_WAIT + MARGIN)
    return WaitingRoom(pool, settings.max_waiters)
