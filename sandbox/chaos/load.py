"""Open-loop load: lives begin when they are due, however slow the system is, and a few threads take all their steps.

Where so many lives are under way that their questions alone would keep a slow machine busy, a limit holds further
beginnings back: then the load takes longer, and is not another one.
"""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue
from typing import Final

from sandbox.chaos.life import Life
from sandbox.chaos.orders import Posted

THREADS: Final = 96  # most of them wait for answers when something is frozen
LOOK_SECONDS: Final = 0.1  # between two looks whether beginnings are held back no longer


@dataclass(slots=True)
class _Step:
    """A life to be taken one step further."""

    order: Posted
    life: Life
    first: bool = True


class Load:
    """Runs lives to their ends, or until it is stopped.

    Args:
        clock: monotonic seconds.
        threads: that take the steps.
        limit: of lives under way; what is due beyond it begins later, and all after it as well.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, threads: int = THREADS, limit: float = math.inf
    ) -> None:
        self.begun = 0
        self.ended = 0
        self.held = 0.0  # seconds by which beginnings were held back so far
        self._limit = limit
        self._given_out = 0
        self._clock = clock
        self._condition = threading.Condition()  # for the timer: a step was put in, or the end has come
        self._progress = threading.Condition()  # for those who wait: a life has begun or ended
        self._beginnings: list[tuple[float, int, _Step]] = []
        self._steps: list[tuple[float, int, _Step]] = []
        self._due: SimpleQueue[_Step | None] = SimpleQueue()
        self._sequence = count()
        self._planned = 0
        self._stopping = False
        self._timer = threading.Thread(target=self._keep_time, name="load-timer", daemon=True)
        self._workers = [threading.Thread(target=self._work, name=f"load-{n}", daemon=True) for n in range(threads)]

    @property
    def in_flight(self) -> int:
        """How many lives have begun and not ended."""
        return self.begun - self.ended

    def start(self, lives: Iterable[tuple[float, Posted, Life]]) -> None:
        """Begin each life that many seconds from now; to be called once."""
        now = self._clock()
        self._beginnings = [(now + after, next(self._sequence), _Step(order, life)) for after, order, life in lives]
        heapq.heapify(self._beginnings)
        self._planned = len(self._beginnings)
        for thread in (self._timer, *self._workers):
            thread.start()

    def wait_until_begun(self, timeout: float) -> bool:
        """Wait until every life has begun; False at the timeout (seconds)."""
        with self._progress:
            return self._progress.wait_for(lambda: self.begun == self._planned, timeout)

    def wait_until_ended(self, timeout: float) -> bool:
        """Wait until every life has ended; False at the timeout (seconds)."""
        with self._progress:
            return self._progress.wait_for(lambda: self.ended == self._planned, timeout)

    def stop(self) -> None:
        """Take no further step and wait for those in hand."""
        with self._condition:
            self._stopping = True
            self._condition.notify_all()
        if self._timer.ident is None:
            return  # never started
        self._timer.join()
        for _ in self._workers:
            self._due.put(None)
        for thread in self._workers:
            thread.join()

    def _keep_time(self) -> None:
        looked = self._clock()
        with self._condition:
            while not self._stopping:
                now = self._clock()
                full = bool(self._beginnings) and self._given_out - self.ended >= self._limit
                if full:
                    self.held += now - looked
                looked = now
                waits = [LOOK_SECONDS] if full else []
                if self._steps:
                    waits.append(self._steps[0][0] - now)
                if self._beginnings and not full:
                    waits.append(self._beginnings[0][0] + self.held - now)
                if not waits or min(waits) > 0:
                    self._condition.wait(min(waits, default=None))
                    continue
                if self._steps and self._steps[0][0] <= now:
                    self._due.put(heapq.heappop(self._steps)[-1])
                else:
                    self._given_out += 1
                    self._due.put(heapq.heappop(self._beginnings)[-1])

    def _work(self) -> None:
        while (step := self._due.get()) is not None and not self._stopping:
            if step.first:
                step.first = False
                with self._progress:
                    self.begun += 1
                    self._progress.notify_all()
            pause = _take(step.order, step.life)
            if pause is None:
                with self._progress:
                    self.ended += 1
                    self._progress.notify_all()
                continue
            with self._condition:
                entry = (self._clock() + pause, next(self._sequence), step)
                heapq.heappush(self._steps, entry)
                if self._steps[0] is entry:
                    self._condition.notify()


def _take(order: Posted, life: Life) -> float | None:
    """Take one step of a life; return the pause before the next, None at its end."""
    try:
        return next(life)
    except StopIteration:
        return None
    except Exception as error:  # noqa: BLE001 - whatever went wrong belongs to this order, and fails the run
        order.problem = f"{type(error).__name__}: {error}"
        return None
