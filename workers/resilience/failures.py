"""What a circuit breaker counts: which errors are failures, and how many were there lately."""

from collections import deque
from collections.abc import Callable

from config.breaker import FORGET_AFTER, SUCCESSES_PER_FAILURE
from config.errors import (
    BreakerOpenError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)


def is_failure(error: BaseException) -> bool:
    """Return whether an error says that the service is ill.

    A declined card, a refused request or a rate limit is an answer; only silence and 5xx are failures.
    """
    if isinstance(error, BreakerOpenError | StripeRateLimitedError):
        return False
    return isinstance(error, StripeUnavailableError | StripeOutcomeUnknownError)


class RecentFailures:
    """Failures of the last two minutes, less one for every twenty successes. Not safe for threads by itself.

    One success does not start the count anew: else an endpoint that fails half of its calls would never be noticed.
    Failures that nothing has succeeded between count however far apart they are: else an outage at night, when a call
    is made every few minutes, would never be noticed either.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: deque[float] = deque()
        self._successes = 0
        self._in_a_row = 0

    def add(self) -> None:
        """Note a failure."""
        self._failures.append(self._clock())
        self._in_a_row += 1

    def forgive(self) -> None:
        """Note a success; every twentieth makes up for the oldest failure."""
        self._in_a_row = 0
        if not self._failures:
            return
        self._successes += 1
        if self._successes >= SUCCESSES_PER_FAILURE:
            self._successes = 0
            self._failures.popleft()

    def count(self) -> int:
        """Return how many failures count now."""
        oldest = self._clock() - FORGET_AFTER
        while self._failures and self._failures[0] < oldest:
            self._failures.popleft()
        return max(len(self._failures), self._in_a_row)

    def clear(self) -> None:
        """Forget everything."""
        self._failures.clear()
        self._successes = self._in_a_row = 0
