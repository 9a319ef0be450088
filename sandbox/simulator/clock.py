"""The simulator's movable clock, so that a day can pass in a test."""

from collections.abc import Callable
from threading import Lock


class Clock:
    """Wall time plus an offset that only grows.

    Objects, idempotency keys and authorisations age by this clock, and answers are dated by it. Webhook signatures
    carry wall time, because the receiver compares them with its own clock.
    """

    def __init__(self, wall: Callable[[], float], offset_seconds: int = 0) -> None:
        self._wall = wall
        self._lock = Lock()
        self.offset_seconds = offset_seconds

    def now(self) -> int:
        """Return the simulated time in whole seconds since 1970, UTC."""
        return int(self._wall()) + self.offset_seconds

    def wall(self) -> int:
        """Return the real time in whole seconds since 1970, UTC."""
        return int(self._wall())

    def advance(self, seconds: int) -> int:
        """Move the clock on and return the new offset in seconds.

        Raises:
            ValueError: the step is negative; the simulated time never goes back.
        """
        if seconds < 0:
            raise ValueError(f"the clock only moves forward, but advance_seconds is {seconds}")
        with self._lock:
            self.offset_seconds += seconds
            return self.offset_seconds
