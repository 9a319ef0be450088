"""How long to wait before a job is tried again."""

from collections.abc import Callable

from config.retries import LONGEST_SNOOZE_SPREAD, MAX_DOUBLINGS, SNOOZE_SPREAD


def backoff(
    attempt: int, *, base: float, cap: float, random: Callable[[], float], retry_after: float | None = None
) -> float:
    """Return how many seconds to wait after an attempt has failed: full jitter over an exponential ceiling.

    The whole range from zero is used, so that many jobs that failed together do not come back together
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Args:
        attempt: the number of the attempt that failed, from 1.
        base: the ceiling after the first attempt, in seconds.
        cap: the highest ceiling, in seconds.
        random: returns a number from 0 (included) to 1.
        retry_after: seconds the other side asked for; never waits less, even beyond the cap.

    Raises:
        ValueError: the attempt is below 1, or base or cap is negative.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, not {attempt}")
    if base < 0 or cap < 0:
        raise ValueError(f"base and cap are seconds from zero on, not {base} and {cap}")
    ceiling = min(cap, base * 2.0 ** min(attempt - 1, MAX_DOUBLINGS))
    return max(random() * ceiling, retry_after or 0.0)


def snooze(wait: float, *, random: Callable[[], float]) -> float:
    """Return how many seconds a job waits that met the open breaker: as long as it says, and a bounded jitter.

    It does not grow from one snooze to the next: once the service is well again, the first job must come back soon.

    Args:
        wait: the seconds that the breaker names.
        random: returns a number from 0 (included) to 1.
    """
    return wait + random() * min(LONGEST_SNOOZE_SPREAD, wait * SNOOZE_SPREAD)
