"""One process's circuit: pybreaker decides when it opens and closes, over what is remembered and shared here."""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Final, NoReturn

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN, CircuitBreaker, CircuitBreakerStorage

from config.errors import StripeError
from workers.resilience.failures import RecentFailures, is_failure

AT_ONCE: Final = 0  # seconds until pybreaker lets a probe pass: our breaker alone decides when one begins


class _Memory(CircuitBreakerStorage):
    """What pybreaker reads and writes: the state, and the failures of this process and of the others together."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__("memory")
        self.failures = RecentFailures(clock)
        self.others = 0
        self._state: str = STATE_CLOSED
        self._probes_passed = 0

    @property
    def state(self) -> str:
        return self._state

    @state.setter
    def state(self, state: str) -> None:
        self._state = state

    @property
    def counter(self) -> int:
        return self.failures.count() + self.others

    def increment_counter(self) -> None:
        self.failures.add()

    def reset_counter(self) -> None:
        """Forgive a little: pybreaker asks at every success, and would forget everything."""
        self.failures.forgive()

    @property
    def success_counter(self) -> int:
        return self._probes_passed

    def increment_success_counter(self) -> None:
        self._probes_passed += 1

    def reset_success_counter(self) -> None:
        self._probes_passed = 0

    @property
    def opened_at(self) -> datetime | None:
        return None

    @opened_at.setter
    def opened_at(self, datetime: datetime) -> None:
        """Take no notice of the wall clock."""


class Circuit:
    """The circuit of one process. Not safe for threads by itself.

    It is told how calls ended, after they did: a call that began before the circuit changed must count for nothing, and
    only whoever made it knows. So nothing is locked while a call is under way.

    Args:
        name: the service's name.
        failures: how many failures open it, counted as `RecentFailures` says.
        clock: seconds that never go back.
    """

    def __init__(self, name: str, *, failures: int, clock: Callable[[], float]) -> None:
        self._memory = _Memory(clock)
        self._circuit = CircuitBreaker(
            fail_max=failures,
            reset_timeout=AT_ONCE,
            exclude=[lambda error: not is_failure(error)],
            state_storage=self._memory,
            name=name,
            throw_new_error_on_trip=False,
        )

    @property
    def is_open(self) -> bool:
        """Whether calls are turned away."""
        return self._memory.state != STATE_CLOSED

    @property
    def failures(self) -> int:
        """How many failures of this process count now."""
        return self._memory.failures.count()

    def succeed(self) -> None:
        """Note that a call went well while the circuit is closed."""
        self._circuit.call(_nothing)

    def fail(self, error: StripeError, others: int) -> None:
        """Note that a call failed while the circuit is closed, and open it if these are enough.

        Args:
            error: a failure, as `is_failure` says.
            others: how many failures of other processes count now.
        """
        self._memory.others = others
        self._end(error)

    def probe(self, error: StripeError | None) -> None:
        """Note how a probe ended: an answer (None) closes the circuit, a failure opens it again."""
        self._memory.state = STATE_HALF_OPEN
        self._end(error)

    def become(self, *, is_open: bool) -> None:
        """Take over how the circuit stands, and forget what led there."""
        self._memory.state = STATE_OPEN if is_open else STATE_CLOSED
        self._memory.failures.clear()
        self._memory.others = 0

    def _end(self, error: StripeError | None) -> None:
        if error is None:
            self._circuit.call(_nothing)
            return
        with contextlib.suppress(StripeError):  # pybreaker passes on what it was told
            self._circuit.call(_raise, error)


def _nothing() -> None:
    """End as a call that went well."""


def _raise(error: StripeError) -> NoReturn:
    raise error
