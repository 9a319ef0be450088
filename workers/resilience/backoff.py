"""How long to wait before an attempt is repeated."""

from collections.abc import Callable
from typing import Final

MAX_DOUBLINGS: Final = 32  # base * 2**32 is beyond any cap, and a float stays far from overflow


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
