"""The circuit breaker: when an outside service fails, stop asking, then ask with one call."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Literal

from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, CircuitBreaker

from config.errors import (
    BreakerOpenError,
    StripeError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)
from workers.resilience.failures import RecentFailures

logger = logging.getLogger("tollgate.breaker")
PROBE_UNDER_WAY: Final = 1.0  # seconds until others may ask again while a probe runs; most probes end sooner

State = Literal["closed", "open", "half-open"]


def is_failure(error: BaseException) -> bool:
    """Return whether an error says that the service is ill.

    A declined card, a refused request or a rate limit is an answer; only silence and 5xx are failures.
    """
    if isinstance(error, BreakerOpenError | StripeRateLimitedError):
        return False
    return isinstance(error, StripeUnavailableError | StripeOutcomeUnknownError)


class Breaker:
    """A circuit breaker for one service and one process, safe for threads.

    It opens at `failures` failures, counted as `RecentFailures` says, so that mixed traffic opens it too. After `reset`
    seconds one call at a time may pass as a probe: an answer closes the circuit, anything else opens it again. It
    never waits for anything.

    Args:
        name: the service's name, for the log.
        failures: how many failures open the circuit.
        reset: seconds between opening and a probe.
        clock: seconds that never go back.
    """

    def __init__(self, name: str, *, failures: int, reset: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._reset = reset
        self._memory = RecentFailures(clock)
        self._lock = threading.Lock()
        self._probing = False
        # reset_timeout 0: `_admit` alone decides when a probe may pass.
        self._circuit = CircuitBreaker(
            fail_max=failures,
            reset_timeout=0,
            exclude=[self._is_no_failure],
            state_storage=self._memory,
            name=name,
            throw_new_error_on_trip=False,
        )

    @property
    def state(self) -> State:
        """What the breaker does with the next call: `closed` lets it pass, `half-open` tries with one."""
        with self._lock:
            if self._memory.state == STATE_CLOSED:
                return "closed"
            return "half-open" if self._probing or self._memory.seconds_open() >= self._reset else "open"

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Guard one call.

        Raises:
            BreakerOpenError: the call may not be made now; `retry_after` says in how many seconds to ask again.
        """
        call, probe = self._enter()
        try:
            yield
        except BaseException as error:
            self._leave(call, error, probe=probe)
            raise
        self._leave(call, None, probe=probe)

    def _enter(self) -> tuple[AbstractContextManager[None], bool]:
        with self._lock:
            probe = self._admit()
            call: AbstractContextManager[None] = self._circuit.calling()
            call.__enter__()
            self._probing = self._probing or probe
            return call, probe

    def _admit(self) -> bool:
        """Return whether this call is a probe; raises BreakerOpenError if it may not pass."""
        if self._memory.state == STATE_CLOSED:
            return False
        wait = self._reset - self._memory.seconds_open()
        if self._probing:
            wait = max(wait, PROBE_UNDER_WAY)
        if wait > 0:
            raise BreakerOpenError(
                f"the circuit breaker of {self.name} is open: nothing was sent; ask again in {wait:.1f} s",
                retry_after=wait,
            )
        return True

    def _leave(self, call: AbstractContextManager[None], error: BaseException | None, *, probe: bool) -> None:
        with self._lock:
            before = self._memory.state
            if error is None:
                call.__exit__(None, None, None)
                self._memory.forgive()
            else:
                call.__exit__(type(error), error, error.__traceback__)
            if probe:
                self._probing = False
            after = self._memory.state
        if after != before:
            logger.warning("breaker %s: %s -> %s", self.name, before, after)

    def _is_no_failure(self, error: BaseException) -> bool:
        if self._memory.state == STATE_HALF_OPEN:
            # A probe that ended for reasons of our own proved nothing, so it must not close the circuit.
            return isinstance(error, StripeError) and not is_failure(error)
        return not is_failure(error)
