"""How many reads found their view in Redis, and how many had to ask a worker for it.

The ingress may write nothing to Redis, so each process counts for itself and logs its counts now and then.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

LOG_SECONDS: Final = 60.0  # between two lines of the log, at least

log = logging.getLogger("ingress.views")


class ViewCounts:
    """Hits and misses by noun, safe for threads.

    Args:
        monotonic: a clock in seconds.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._hits: Counter[str] = Counter()
        self._misses: Counter[str] = Counter()
        self._next_line = monotonic() + LOG_SECONDS

    def note(self, noun: str, *, hit: bool) -> None:
        """Count one read, and log the counts if they were not logged for a while."""
        with self._lock:
            (self._hits if hit else self._misses)[noun] += 1
            now = self._monotonic()
            if now < self._next_line:
                return
            self._next_line = now + LOG_SECONDS
        log.info("views read since this process began", extra=dict(self.totals()))

    def totals(self) -> Mapping[str, Mapping[str, int]]:
        """Return hits and misses by noun, since the process began."""
        with self._lock:
            return {"hits": dict(self._hits), "misses": dict(self._misses)}
