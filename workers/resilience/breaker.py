"""The circuit breaker: when an outside service fails, stop asking, then ask with one call."""

import contextlib
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from config.breaker import ALONE_AFTER, ASK_AGAIN, EXCHANGE_EVERY, LEASE, LEASE_MARGIN, PROBE_UNDER_WAY, SHARED_LIMIT
from config.errors import BreakerOpenError, StripeError
from workers.resilience.circuit import Circuit
from workers.resilience.failures import is_failure
from workers.resilience.knowledge import Report, Shared, Wish

logger = logging.getLogger("tollgate.breaker")

State = Literal["closed", "open", "half-open"]


@dataclass(eq=False, slots=True)
class _Call:
    """A call under way. Compared by identity.

    Args:
        turn: the one that it began in.
        probe: whether it is one.
        granted: whether it began under a right that only one process has at a time.
    """

    turn: int
    probe: bool = False
    granted: bool = False


class Breaker:
    """A circuit breaker for one service, safe for threads. It decides from memory and never waits for anything.

    What a call's end makes of the circuit is decided by pybreaker, in `Circuit`; when a call may pass is decided here.
    It opens at `failures` failures, counted as `RecentFailures` says, so that mixed traffic opens it too. After `reset`
    seconds one call at a time may pass as a probe: an answer closes the circuit, a failure opens it for as long again.
    A call that began before the circuit changed proves nothing any more.

    A `BreakerLink` may tell it what other processes know (`report`, `learn`). Then their failures count as well, and a
    probe needs a right that only one process has at a time. A few failures that the others do not know of yet make it
    pause for them, so that all together open after at most twice `failures`. Once it has not heard from them for a
    moment, it decides alone.

    Args:
        name: the service's name, for the log.
        failures: how many failures open the circuit.
        reset: seconds between opening and a probe.
        clock: seconds that never go back.
    """

    def __init__(self, name: str, *, failures: int, reset: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.threshold = failures
        self.news = threading.Event()  # there is something that the others should know at once
        self._reset = reset
        self._clock = clock
        self._lock = threading.Lock()
        self._circuit = Circuit(name, failures=failures, clock=clock)
        self._troubles: Counter[str] = Counter()
        self._turn = 0
        self._open = False
        self._since = clock()
        self._probe: _Call | None = None
        self._turned_away = False
        self._shared_until = clock()
        self._others = 0
        self._present = 1
        self._told = 0
        self._may_probe_until = clock()
        self._unlogged: deque[str] = deque()

    @property
    def state(self) -> State:
        """What the breaker does with the next call: `closed` lets it pass, `half-open` tries with one."""
        with self._lock:
            if not self._open:
                return "closed"
            return "half-open" if self._probe is not None or self._wait() <= 0 else "open"

    @contextlib.contextmanager
    def calling(self) -> Iterator[None]:
        """Guard one call.

        Raises:
            BreakerOpenError: the call may not be made now; `retry_after` says in how many seconds to ask again.
        """
        call = self._enter()
        try:
            yield
        except BaseException as error:
            self._leave(call, error)
            raise
        self._leave(call, None)

    def note(self, trouble: str) -> None:
        """Count a kind of trouble, for the log alone."""
        with self._lock:
            self._troubles[trouble] += 1

    def report(self) -> Report:
        """Return what the others should know."""
        with self._lock:
            return Report(
                turn=self._turn,
                state="open" if self._open else "closed",
                age=self._clock() - self._since,
                failures=self._circuit.failures,
                wish=self._wish(),
            )

    def learn(self, told: Report, shared: Shared, asked_at: float) -> None:
        """Take over what all know.

        Args:
            told: what was reported.
            shared: the answer to it.
            asked_at: when it was sent, by the breaker's clock.
        """
        with self._lock:
            self._shared_until = self._clock() + ALONE_AFTER
            self._present = shared.present
            is_open = shared.state == "open"
            if shared.turn < self._turn:
                return  # this process has seen the circuit change meanwhile; it tells with the next exchange
            if shared.turn > self._turn or is_open != self._open:
                self._change(shared.turn, is_open=is_open, age=shared.age, why="as another process saw it")
            elif told.turn == self._turn:
                self._told = told.failures
            self._since = self._clock() - shared.age
            self._others = shared.others
            if shared.granted and self._open:
                self._may_probe_until = asked_at + LEASE
                self._turned_away = False
        self._log()

    def go_alone(self) -> None:
        """Decide without the others until they are heard again."""
        with self._lock:
            self._shared_until = self._clock()

    def next_exchange(self) -> float:
        """Return in how many seconds the others should hear of this process, if there is no news before."""
        with self._lock:
            if not self._open or not self._turned_away or self._probe is not None:
                return EXCHANGE_EVERY
            wait = self._wait()
            return min(EXCHANGE_EVERY, wait if wait > 0 else ASK_AGAIN)

    def _log(self) -> None:
        """Log what has changed; outside of the lock, since nobody must wait for whoever reads the log."""
        while self._unlogged:
            with contextlib.suppress(IndexError):  # another thread was faster
                logger.warning("breaker %s: %s", self.name, self._unlogged.popleft())

    def _is_shared(self) -> bool:
        return self._clock() < self._shared_until

    def _wait(self) -> float:
        return self._reset - (self._clock() - self._since)

    def _wish(self) -> Wish:
        if self._probe is not None:
            return "probe"
        if not self._open:
            return "nothing"
        if self._clock() < self._may_probe_until:
            return "hold"
        return "probe" if self._turned_away and self._wait() <= 0 else "nothing"

    def _enter(self) -> _Call:
        with self._lock:
            if not self._open:
                self._pause_for_the_others()
                return _Call(self._turn)
            self._admit_probe()
            self._probe = _Call(self._turn, probe=True, granted=self._is_shared())
            self.news.set()
            return self._probe

    def _pause_for_the_others(self) -> None:
        """Raise BreakerOpenError if this process has all the failures that it may have without the others' knowing."""
        untold = self._circuit.failures - self._told
        if untold <= 0 or not self._is_shared():
            return
        # All together know of fewer than `threshold` failures, or it would be open.
        allowed = (SHARED_LIMIT * self.threshold - self.threshold + 1) // self._present
        if untold >= max(1, allowed):
            raise BreakerOpenError(
                f"the circuit breaker of {self.name} waits for what other processes know: nothing was sent",
                retry_after=PROBE_UNDER_WAY,
            )

    def _admit_probe(self) -> None:
        """Raise BreakerOpenError unless a probe may begin."""
        wait = self._wait()
        if self._probe is not None:
            wait = max(wait, PROBE_UNDER_WAY)
        elif wait <= 0 and self._is_shared() and self._clock() >= self._may_probe_until - LEASE_MARGIN:
            wait = PROBE_UNDER_WAY
            self.news.set()
        if wait > 0:
            self._turned_away = True
            raise BreakerOpenError(
                f"the circuit breaker of {self.name} is open: nothing was sent; ask again in {wait:.1f} s",
                retry_after=wait,
            )

    def _leave(self, call: _Call, error: BaseException | None) -> None:
        failure = error if isinstance(error, StripeError) and is_failure(error) else None
        answered = error is None or (isinstance(error, StripeError) and failure is None)
        with self._lock:
            if call is self._probe:
                self._probe = None
                self.news.set()
            if call.turn != self._turn:
                return
            if not call.probe:
                if failure is not None:
                    self._count(failure)
                elif error is None:
                    self._circuit.succeed()
            elif answered:
                self._circuit.probe(None)
                self._change(self._turn + 1, is_open=self._circuit.is_open, why="the probe was answered")
            elif failure is not None and (not call.granted or self._clock() < self._may_probe_until):
                self._circuit.probe(failure)
                self._change(self._turn + 1, is_open=self._circuit.is_open, why="the probe failed")
            else:
                # It ended for reasons of our own, or its right ran out while this process was frozen: no proof.
                self._may_probe_until = self._clock()
        self._log()

    def _count(self, failure: StripeError) -> None:
        others = self._others if self._is_shared() else 0
        self._circuit.fail(failure, others)
        self.news.set()
        if self._circuit.is_open:
            self._change(
                self._turn + 1, is_open=True, why=f"{self._circuit.failures} failures here, {others} elsewhere"
            )

    def _change(self, turn: int, *, is_open: bool, age: float = 0.0, why: str) -> None:
        before, after = ("open" if state else "closed" for state in (self._open, is_open))
        troubles = ", ".join(f"{count} {trouble}" for trouble, count in self._troubles.most_common())
        if before != after:
            self._unlogged.append(f"{before} -> {after}: {why}{f' ({troubles})' if troubles else ''}")
        self._turn, self._open, self._since = turn, is_open, self._clock() - age
        self._circuit.become(is_open=is_open)
        self._troubles.clear()
        self._others = self._told = 0
        self._turned_away = False
        self._may_probe_until = self._clock()
        self._probe = None
        self.news.set()
