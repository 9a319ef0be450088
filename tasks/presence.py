"""The sign of life of a worker process, given in a thread of its own: its tasks may all be busy."""

import threading
from collections.abc import Callable

from config.errors import DatabaseAwayError
from tasks.contracts.steps import Step
from workers.jobs.presence import PRESENCE_SECONDS, give_sign
from workers.runtime import Runtime


class Presence:
    """Tells PostgreSQL every two seconds that the process lives, and how many strays it met.

    Args:
        runtime: whose process it is.
        strays: how many there were so far.
    """

    def __init__(self, runtime: Runtime, strays: Callable[[], int]) -> None:
        self._runtime = runtime
        self._strays = strays
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Give no further sign."""
        self._ended.set()

    def give(self) -> bool:
        """Give one sign; return whether it arrived. Missing one is harmless."""
        try:
            with self._runtime.transaction(Step.PRESENCE) as session:
                give_sign(session, self._runtime.name, self._strays())
        except DatabaseAwayError:
            return False  # the watch on PostgreSQL tells of it
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            self.give()
            self._ended.wait(PRESENCE_SECONDS)
