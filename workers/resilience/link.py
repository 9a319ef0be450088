"""The link between the breakers of all processes: one thread in each exchanges with Redis what is known."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

from redis import Redis
from redis.exceptions import RedisError

from config.breaker import EXCHANGE_EVERY, EXCHANGE_PAUSE, FORGET_AFTER, KEPT_FOR, LEASE, MEMBER_FOR
from tasks.contracts.steps import Step
from workers.resilience.breaker import Breaker
from workers.resilience.knowledge import Report, Shared

logger = logging.getLogger("tollgate.breaker")
SCRIPT: Final = Path(__file__).with_name("breaker.lua").read_text(encoding="utf-8")
MILLISECONDS: Final = 1000
MEMBER_BYTES: Final = 8  # of a random name: two processes never share one


class BreakerLink:
    """Keeps a breaker and those of other processes of one mind, from a thread of its own.

    The breaker itself never waits for it: while Redis is away or frozen the breaker decides alone.

    Args:
        breaker: this process's.
        redis: a client of this link's own, with short timeouts; closed with it.
        key: where the circuit is shared.
        clock: the breaker's.
    """

    def __init__(
        self, breaker: Breaker, redis: Redis, key: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._breaker = breaker
        self._redis = redis
        self._key = key
        self._clock = clock
        self._script = redis.register_script(SCRIPT)
        self._member = secrets.token_hex(MEMBER_BYTES)
        self._stop = threading.Event()
        self._alone = False
        self._thread = threading.Thread(target=self._run, name="breaker-link", daemon=True)

    def start(self) -> None:
        """Begin to exchange."""
        self._thread.start()

    def close(self) -> None:
        """Stop exchanging; takes no longer than one exchange."""
        self._stop.set()
        self._breaker.news.set()
        if self._thread.is_alive():
            self._thread.join()
        self._redis.close()

    def exchange(self) -> None:
        """Tell what this process knows, and learn what all know.

        Raises:
            RedisError: if Redis is away; nothing is lost, the next exchange tells it all again.
        """
        told, asked_at = self._breaker.report(), self._clock()
        self._breaker.learn(told, self._ask(told), asked_at)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._breaker.news.clear()
            if not self._exchanged():
                self._breaker.go_alone()
                self._stop.wait(EXCHANGE_EVERY)
            elif not self._stop.wait(EXCHANGE_PAUSE):
                self._breaker.news.wait(self._breaker.next_exchange())

    def _exchanged(self) -> bool:
        """Exchange, and tell whether that went well: the thread outlives whatever one round meets."""
        try:
            self.exchange()
        except RedisError as error:
            self._tell(alone=True, why=f": {type(error).__name__}: {error}")
            return False
        except Exception:
            logger.exception("breaker %s: an exchange failed unexpectedly", self._breaker.name)
            self._alone = True
            return False
        self._tell(alone=False)
        return True

    def _ask(self, told: Report) -> Shared:
        arguments: list[str | int] = [
            self._member,
            told.turn,
            told.state,
            _ms(told.age),
            told.failures,
            told.wish,
            self._breaker.threshold,
            _ms(LEASE),
            _ms(FORGET_AFTER),
            _ms(MEMBER_FOR),
            _ms(KEPT_FOR),
        ]
        with Step.SHARE_BREAKER:
            answer: Any = self._script(keys=[self._key], args=arguments)
        turn, state, age, others, present, granted = answer
        return Shared(turn, _state(state), age / MILLISECONDS, others, present, granted == 1)

    def _tell(self, *, alone: bool, why: str = "") -> None:
        if alone != self._alone:
            self._alone = alone
            logger.warning("breaker %s: %s%s", self._breaker.name, "goes on alone" if alone else "shares again", why)


def shared_state(redis: Redis, key: str) -> Literal["closed", "open"] | None:
    """Return what all processes know of a circuit; None if none has told lately.

    Raises:
        RedisError: if Redis is away.
    """
    state: Any = redis.hget(key, "state")
    return None if state is None else _state(state)


def _state(state: bytes) -> Literal["closed", "open"]:
    return "open" if state == b"open" else "closed"


def _ms(seconds: float) -> int:
    return round(seconds * MILLISECONDS)
