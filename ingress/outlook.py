"""The outlook: whether what is accepted now will be worked on soon, as far as Redis knows; at most a second old.

It never delays an acceptance: its questions go along with the accept script, in the same round trip, once a second.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from redis.exceptions import NoScriptError

from config.errors import ContractError, RedisAwayError
from config.keyspace import Keyspace
from ingress.problems import ProblemError
from ingress.redis_gate import RedisGate
from tasks.contracts.durability import MARK_HASH
from tasks.contracts.pulse import Condition, Pulse

LOOK_SECONDS = 1.0  # so old may it be; whoever comes then brings the next one along
DURABLE_SECONDS = 2.0  # so long a word counts without being read again: while requests come, it is read every second
KNOWN_SECONDS = 5.0  # without an answer for so long nothing is known
HEADER = "Tollgate-Delayed"
SOON = {"Retry-After": "1"}  # seconds

Delayed = Literal["dispatcher", "database", "stripe"]
Command = tuple[Any, ...]

log = logging.getLogger(__name__)


class Outlook:
    """What one process knows, safe for threads.

    Args:
        gate: the way to Redis.
        keyspace: the names of its keys.
        live: whether a dispatcher must have vouched for this run of Redis before anything is accepted.
        monotonic: a clock in seconds.
    """

    def __init__(
        self, gate: RedisGate, keyspace: Keyspace, *, live: bool, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._gate = gate
        self._monotonic = monotonic
        self._live = live
        self._commands: tuple[Command, ...] = (("GET", keyspace.dispatcher_pulse),)
        if live:
            self._commands += (("GET", keyspace.durable), ("EVALSHA", MARK_HASH, 0))
        self._lock = threading.Lock()
        self._next_look = monotonic()
        self._known_until = monotonic()
        self._pulse: Pulse | None = None
        self._obstacle = ""
        self._durable_until = monotonic()

    def questions(self) -> tuple[Command, ...]:
        """Return the commands to send along with others: none, if somebody asked within the last second."""
        with self._lock:
            now = self._monotonic()
            if now < self._next_look:
                return ()
            self._next_look = now + LOOK_SECONDS
            return self._commands

    def hear(self, replies: Sequence[Any]) -> None:
        """Take the replies to `questions`."""
        if not replies:
            return
        with self._lock:
            now = self._monotonic()
            self._pulse = _pulse(replies[0])
            self._known_until = now + KNOWN_SECONDS
            if self._live:
                self._obstacle = _obstacle(*replies[1:])
                self._durable_until = now + (0.0 if self._obstacle else DURABLE_SECONDS)

    def look(self) -> None:
        """Ask in a round trip of its own, unless somebody asked within the last second; Redis may be away."""
        questions = self.questions()
        if questions:
            try:
                self.hear(self._gate.ask(*questions))
            except RedisAwayError as error:
                log.info("the outlook is unknown: %s", error)

    def look_now(self) -> None:
        """Ask in a round trip of its own, whoever asked before.

        Raises:
            RedisAwayError: Redis does not answer.
        """
        self.hear(self._gate.ask(*self._commands))

    def require_durable(self) -> None:
        """Make sure that this Redis keeps what it acknowledges, where that matters.

        Raises:
            ProblemError: `redis_unproven`: no dispatcher has vouched for this run of it.
            RedisAwayError: Redis does not answer.
        """
        if not self._live:
            return
        if self._monotonic() >= self._durable_until:
            self.look_now()
        if self._monotonic() >= self._durable_until:
            log.error("nothing is accepted: %s", self._obstacle)
            detail = "Nothing was accepted: it is not known yet whether it would be kept. Repeat the request."
            raise ProblemError("redis_unproven", detail, headers=SOON)

    def doubt(self) -> None:
        """Take nothing for granted any more: Redis failed, and may be another when it is back."""
        with self._lock:
            self._durable_until = self._next_look = self._monotonic()

    def pulse(self) -> Pulse | None:
        """Return the dispatcher's last pulse; None if it has none now."""
        return self._pulse

    def parts(self) -> dict[str, Condition]:
        """Return how each part is that takes part in processing."""
        if self._monotonic() >= self._known_until:
            return {"dispatcher": "unknown", "database": "unknown", "stripe": "unknown"}
        pulse = self._pulse
        if pulse is None:
            return {"dispatcher": "away", "database": "unknown", "stripe": "unknown"}
        return {"dispatcher": "up", "database": pulse.database, "stripe": pulse.stripe}

    def delays(self) -> dict[str, str]:
        """Return the header that tells what processing waits for; none if nothing is known to be away."""
        away = next((name for name, condition in self.parts().items() if condition == "away"), None)
        return {} if away is None else {HEADER: away}


def _pulse(reply: Any) -> Pulse | None:
    if not isinstance(reply, bytes):
        return None
    try:
        return Pulse.from_bytes(reply)
    except ContractError as error:
        log.warning("%s", error)
        return None


def _obstacle(word: Any, mark: Any) -> str:
    """Return why this run of Redis is not known to keep what it acknowledges; nothing if it is."""
    if isinstance(mark, NoScriptError) or word is None:
        return "no dispatcher has vouched that this run of Redis keeps what it acknowledges"
    for reply in (word, mark):
        if isinstance(reply, Exception):
            return f"Redis refuses to say if it is durable ({reply}): give its user what `tollgate redis acl` prints"
    return ""
