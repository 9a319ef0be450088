"""The dispatcher's pulse, given at a pace of its own: neither a slow chore nor an absent PostgreSQL delays it."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from sqlalchemy import text

from config.errors import DatabaseAwayError, SettingsError
from tasks.contracts.pulse import Condition, Pulse
from tasks.contracts.steps import Step
from workers.gateways.stripe import STRIPE_BREAKER
from workers.redis_safety import vouch
from workers.resilience.link import shared_state
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.dispatcher")
LOOK_SECONDS = 1.0  # between two looks at PostgreSQL
LATE_SECONDS = 3.0  # PostgreSQL is away when it has not answered for so long: two looks and some slowness
PERIODS_KEPT = 3  # a pulse is there for so many periods: one may be late, and none be lost, before it counts as gone
LEAST_KEPT_SECONDS = 5
MILLISECONDS = 1000


@dataclass(slots=True)
class Heart:
    """Beats until it is stopped: one thread looks at PostgreSQL, one gives the pulse.

    Args:
        clock: seconds since 1970, UTC.
        answered_at: when PostgreSQL last answered, by the monotonic clock; None if it never has.
        refused: whether its last answer was none.
        vouches: whether this Redis was found fit for live money at the last beat; True elsewhere.
    """

    runtime: Runtime
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    answered_at: float | None = None
    refused: bool = False
    vouches: bool = True
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to beat."""
        period = self.runtime.settings.jobs.repair_interval
        for name, do, pause in (("database-look", self.look, LOOK_SECONDS), ("pulse", self.beat, period)):
            thread = threading.Thread(target=self._repeat, args=(name, do, pause), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop; takes no longer than PostgreSQL's and Redis's timeouts."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def look(self) -> None:
        """See whether PostgreSQL answers."""
        try:
            with self.runtime.reading() as session:
                session.execute(text("SELECT 1"))
        except DatabaseAwayError:
            self.refused = True
            return
        self.refused = False
        self.answered_at = self.monotonic()

    def beat(self) -> None:
        """Give one pulse.

        Raises:
            RedisError: if Redis is away.
        """
        settings = self.runtime.settings
        keyspace = settings.redis.keyspace
        self._vouch()
        circuit = shared_state(self.runtime.redis, keyspace.breaker(STRIPE_BREAKER))
        stripe: Condition = "unknown" if circuit is None else "away" if circuit == "open" else "up"
        pulse = Pulse(int(self.clock() * MILLISECONDS), self.database(), stripe)
        kept = max(LEAST_KEPT_SECONDS, math.ceil(PERIODS_KEPT * settings.jobs.repair_interval))
        with Step.PULSE:
            self.runtime.redis.set(keyspace.dispatcher_pulse, pulse.to_bytes(), ex=kept)

    def database(self) -> Condition:
        """Return what is known of PostgreSQL."""
        if self.answered_at is None:
            return "away" if self.refused else "unknown"
        return "away" if self.refused or self.monotonic() - self.answered_at > LATE_SECONDS else "up"

    def _vouch(self) -> None:
        """Say whether the ingress may accept live money into this Redis."""
        try:
            vouch(self.runtime.redis, self.runtime.settings.environment, self.runtime.settings.redis.keyspace)
        except SettingsError as error:
            if self.vouches:
                LOG.critical("%s; the web process accepts nothing until it has", error)
            self.vouches = False
        else:
            self.vouches = True

    def _repeat(self, name: str, do: Callable[[], object], pause: float) -> None:
        while not self._stop.is_set():
            try:
                do()
            except RedisError as error:
                LOG.warning("%s waits: %s: %s", name, type(error).__name__, error)
            except Exception:
                LOG.exception("%s failed unexpectedly", name)
            self._stop.wait(pause)
