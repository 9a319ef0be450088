"""Lanes: how much of a process one endpoint may take, so that a website that hangs or is gone holds up no other."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from config.errors import WebsitePausedError
from config.retries import LANE_BUSY, LANE_FAILURES, LANE_PAUSE


@dataclass(slots=True)
class _Lane:
    under_way: int = 0
    failures: int = 0  # in a row
    shut_until: float = 0.0


class Lanes:
    """One lane for each endpoint, in this process alone; safe for threads.

    A few failures in a row shut a lane for a pause; after that one call at a time passes, until one goes well.

    Args:
        width: how many calls to one endpoint may be under way.
        clock: seconds that never go back.
    """

    def __init__(self, width: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._width = width
        self._clock = clock
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    @contextmanager
    def calling(self, name: str) -> Iterator[None]:
        """Guard one call: whatever it raises is a failure.

        Raises:
            WebsitePausedError: the call may not be made now; `retry_after` says in how many seconds to ask again.
        """
        self._enter(name)
        try:
            yield
        except BaseException:
            self._leave(name, failed=True)
            raise
        self._leave(name, failed=False)

    def _enter(self, name: str) -> None:
        with self._lock:
            lane = self._lanes.setdefault(name, _Lane())
            failing = lane.failures >= LANE_FAILURES
            wait = lane.shut_until - self._clock() if failing else 0.0
            if wait > 0:
                raise WebsitePausedError(
                    f"nothing was sent: {lane.failures} calls in a row have failed", retry_after=wait
                )
            if lane.under_way >= (1 if failing else self._width):
                raise WebsitePausedError(
                    f"nothing was sent: {lane.under_way} call(s) are under way", retry_after=LANE_BUSY
                )
            lane.under_way += 1

    def _leave(self, name: str, *, failed: bool) -> None:
        with self._lock:
            lane = self._lanes[name]
            lane.under_way -= 1
            lane.failures = lane.failures + 1 if failed else 0
            if failed:
                lane.shut_until = self._clock() + LANE_PAUSE
            elif not lane.under_way:
                del self._lanes[name]  # what is well needs no memory
