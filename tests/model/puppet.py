"""A puppet: shipped code in a thread of its own that stands still at every stop until it is told to go on.

Where a process may die, freeze or be overtaken by another, its code calls `stop`: before a transaction, before a call
to Stripe, and before every other step of the crash table. Elsewhere `stop` does nothing, so that the same code runs
straight on in any other thread.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE_SECONDS = 20.0  # no piece of work takes so long between two stops, unless it waits for another for ever
_here = threading.local()


class Died(BaseException):
    """Ends a puppet where it stands. No `except Exception` stops it, as none stops a SIGKILL."""


class Puppet:
    """One process's piece of work.

    Args:
        do: the work.
        worker: the name under which it claims jobs, if it does.
    """

    def __init__(self, do: Callable[[], Any], worker: str = "") -> None:
        self.worker = worker
        self.claims: dict[str, int] = {}  # the fence of each job that it claimed, kept by whoever watches
        self.at = "start"
        self.ended = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._do = do
        self._dies = False
        # Bare locks, each released by the other thread: a semaphore of Python's makes several for every wait.
        self._go = threading.Lock()
        self._stands = threading.Lock()
        self._go.acquire()
        self._stands.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def advance(self) -> None:
        """Let it go on to its next stop, or to its end; then it stands still again. One that has ended does nothing."""
        if self.ended:
            return
        self._go.release()
        if not self._stands.acquire(timeout=PATIENCE_SECONDS):
            frame = sys._current_frames()[self._thread.ident or 0]
            raise RuntimeError("a puppet is stuck:\n" + "".join(traceback.format_stack(frame)))
        if self.ended:
            self._thread.join()

    def kill(self) -> None:
        """End it where it stands."""
        if not self.ended:
            self._dies = True
            self.advance()

    def _run(self) -> None:
        _here.puppet = self
        self._go.acquire()
        try:
            if not self._dies:
                self.result = self._do()
        except Died:
            pass
        except BaseException as error:  # noqa: BLE001 - whoever drives it looks at what ended it
            self.error = error
        self.ended = True
        self.at = "end"
        self._stands.release()

    def _stop(self, where: str) -> None:
        if not self._dies:
            self.at = where
            self._stands.release()
            self._go.acquire()
        if self._dies:
            raise Died


def stop(where: str) -> None:
    """Stand still here, if this is a puppet's thread, until it goes on; or die here."""
    puppet = getattr(_here, "puppet", None)
    if puppet is not None and not getattr(_here, "holds", False):
        puppet._stop(where)


@contextmanager
def without_stops() -> Iterator[None]:
    """Stop nowhere in the block: a transaction under way holds locks, and its effect is its commit alone."""
    before, _here.holds = getattr(_here, "holds", False), True
    try:
        yield
    finally:
        _here.holds = before
