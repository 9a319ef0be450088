"""What a circuit breaker remembers: recent failures, its state, and when it opened."""

import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

from pybreaker import STATE_CLOSED, STATE_OPEN, CircuitBreakerStorage

FORGET_AFTER: Final = 120.0  # seconds; failures further apart than this are no outage
SUCCESSES_PER_FAILURE: Final = 10  # trips when more than about one call in ten fails, however the calls are mixed


class RecentFailures(CircuitBreakerStorage):
    """A breaker's memory in this process: a failure is forgotten after two minutes, or for ten successes.

    pybreaker's own memory starts from nothing at every success, so that an endpoint that fails half of its calls never
    trips it; here `reset_counter`, which it calls at every success, does nothing, and `forgive` is called instead for
    calls that truly succeeded. Failures are counted only while the circuit is closed: a call that began before it
    opened and fails afterwards must not keep it open for longer. A memory shared through Redis can take this place.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__("recent failures")
        self._lock = threading.Lock()
        self._clock = clock
        self._state: str = STATE_CLOSED
        self._failures: deque[float] = deque()
        self._successes = 0
        self._probes_passed = 0
        self._opened = 0.0

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        with self._lock:
            self._state = state
            self._failures.clear()
            self._successes = 0
            if state == STATE_OPEN:
                self._opened = self._clock()

    def seconds_open(self) -> float:
        """Return for how long the circuit has been open, in seconds."""
        return self._clock() - self._opened

    def forgive(self) -> None:
        """Note a success; every tenth makes up for the oldest failure."""
        with self._lock:
            self._successes += 1
            if self._successes >= SUCCESSES_PER_FAILURE:
                self._successes = 0
                if self._failures:
                    self._failures.popleft()

    def increment_counter(self) -> None:
        """Note a failure, if the circuit is closed."""
        with self._lock:
            if self._state == STATE_CLOSED:
                self._failures.append(self._clock())

    def reset_counter(self) -> None:
        """Keep what is remembered: pybreaker asks for this at every success."""

    @property
    def counter(self) -> int:
        """How many failures count now."""
        oldest = self._clock() - FORGET_AFTER
        with self._lock:
            while self._failures and self._failures[0] < oldest:
                self._failures.popleft()
            return len(self._failures)

    def increment_success_counter(self) -> None:
        """Note that a probe passed."""
        self._probes_passed += 1

    def reset_success_counter(self) -> None:
        """Forget the probes that passed."""
        self._probes_passed = 0

    @property
    def success_counter(self) -> int:
        """How many probes have passed since the circuit opened."""
        return self._probes_passed

    @property
    def opened_at(self) -> datetime | None:
        """Nothing: the breaker decides by a clock of its own when to probe, and pybreaker then lets the probe pass."""
        return None

    @opened_at.setter
    def opened_at(self, datetime: datetime) -> None:
        """Take no notice of the wall clock."""
