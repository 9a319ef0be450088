"""Admission: whether this process may begin work, and how much it has under way.

No work begins while PostgreSQL is away, or once the process is told to stop.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from config.errors import DatabaseAwayError, StoppingError
from workers.database_watch import DatabaseWatch

T = TypeVar("T")
NOTICE_SECONDS = 0.25  # so late a waiting thread notices that the process stops


class Admission:
    """Admits work, thread by thread.

    Args:
        watch: whether PostgreSQL is there.
        monotonic: a clock in seconds.
    """

    def __init__(self, watch: DatabaseWatch, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.watch = watch
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._under_way = 0
        self._closed = False

    def run(self, work: Callable[[], T]) -> T:
        """Do a piece of work once it is admitted, and again if PostgreSQL went away meanwhile; return what it returns.

        Args:
            work: claims jobs; harmless to repeat, since what is claimed can't be claimed again.

        Raises:
            StoppingError: the process stops; the work was not begun, or not finished for want of PostgreSQL.
        """
        while True:
            with self._admitted():
                try:
                    return work()
                except DatabaseAwayError:
                    self.watch.look()
            self._pause()

    def close(self) -> None:
        """Admit nothing any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self, seconds: float) -> int:
        """Wait until nothing is under way, for some seconds at most; return how much still is."""
        deadline = self._monotonic() + seconds
        with self._changed:
            while self._under_way and (left := deadline - self._monotonic()) > 0:
                self._changed.wait(left)
            return self._under_way

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        while not (self._closed or self.watch.wait(NOTICE_SECONDS)):
            pass
        with self._changed:
            if self._closed:
                raise StoppingError
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _pause(self) -> None:
        """Give the watch time to look, without keeping a stop waiting."""
        with self._changed:
            if not self._closed:
                self._changed.wait(NOTICE_SECONDS)
