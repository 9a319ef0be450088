"""The dispatcher's pulse, given at a pace of its own: neither a slow chore nor an absent PostgreSQL delays it."""

import logging
import math
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from config.errors import SettingsError
from tasks.contracts.pulse import Condition, Pulse
from tasks.contracts.steps import Step
from workers.database_watch import DatabaseWatch
from workers.gateways.stripe import STRIPE_BREAKER
from workers.redis_safety import vouch
from workers.resilience.link import shared_state
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.dispatcher")
PERIODS_KEPT = 3  # a pulse is there for so many periods: one may be late, and one be lost, before it counts as gone
LEAST_KEPT_SECONDS = 5
MILLISECONDS = 1000


class Heart:
    """Gives the pulse in a thread of its own, until it is stopped.

    Args:
        runtime: the dispatcher's.
        watch: knows whether PostgreSQL answers; started and closed by whoever made it.
        clock: seconds since 1970, UTC.
    """

    def __init__(self, runtime: Runtime, watch: DatabaseWatch, clock: Callable[[], float] = time.time) -> None:
        self._runtime = runtime
        self._watch = watch
        self._clock = clock
        self._vouches = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop; takes no longer than Redis's timeouts."""
        self._stop.set()
        self._thread.join()

    def beat(self) -> None:
        """Give one pulse, and say whether live money may be accepted into this Redis.

        Raises:
            RedisError: if Redis is away.
        """
        settings = self._runtime.settings
        keyspace = settings.redis.keyspace
        self._vouch()
        circuit = shared_state(self._runtime.redis, keyspace.breaker(STRIPE_BREAKER))
        stripe: Condition = "unknown" if circuit is None else "away" if circuit == "open" else "up"
        database: Condition = "up" if self._watch.is_there else "away"
        pulse = Pulse(int(self._clock() * MILLISECONDS), database, stripe)
        kept = max(LEAST_KEPT_SECONDS, math.ceil(PERIODS_KEPT * settings.jobs.repair_interval))
        with Step.PULSE:
            self._runtime.redis.set(keyspace.dispatcher_pulse, pulse.to_bytes(), ex=kept)

    def _vouch(self) -> None:
        settings = self._runtime.settings
        try:
            vouch(self._runtime.redis, settings.environment, settings.redis.keyspace)
        except SettingsError as error:
            if self._vouches:
                LOG.critical("%s; the web process accepts nothing until it has", error)
            self._vouches = False
        else:
            self._vouches = True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.beat()
            except RedisError as error:
                LOG.warning("pulse waits: %s: %s", type(error).__name__, error)
            except Exception:
                LOG.exception("pulse failed unexpectedly")
            self._stop.wait(self._runtime.settings.jobs.repair_interval)
