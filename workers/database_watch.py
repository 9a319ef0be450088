"""A watch on PostgreSQL: whoever needs it asks here before taking work, so that nothing is taken that can't be done."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from config.errors import DatabaseAwayError
from config.settings import DatabaseSettings
from models.database import create_database_engine

LOG = logging.getLogger("tollgate.database")
CONNECT_SECONDS = 1  # a server that is there accepts within milliseconds
ANSWER_SECONDS = 1.0  # a probe reads nothing, so only a server in trouble takes as long
UP_SECONDS = 0.5  # between two probes while all is well: so late is an outage noticed, at most
AWAY_SECONDS = 0.25  # between two probes while it is away: so late is its return noticed, at most

_ASK = text("SELECT 1")
Probe = Callable[[], None]


class DatabaseWatch:
    """Probes PostgreSQL in a thread of its own, and logs one line when it goes and one when it is back.

    Args:
        probe: asks PostgreSQL anything, over a connection of its own; raises DatabaseAwayError.
        monotonic: a clock in seconds.
    """

    def __init__(self, probe: Probe, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._probe = probe
        self._monotonic = monotonic
        self._there = threading.Event()
        self._there.set()
        self._look = threading.Event()
        self._ending = False
        self._away_since = 0.0
        self._thread = threading.Thread(target=self._watch, name="database-watch", daemon=True)

    @property
    def is_there(self) -> bool:
        """Tell whether PostgreSQL answered lately."""
        return self._there.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait until PostgreSQL answers, for some seconds at most; tell whether it does."""
        return self._there.wait(seconds)

    def look(self) -> None:
        """Probe now: somebody has just met an error."""
        self._look.set()

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def close(self) -> None:
        """Watch no longer; a probe under way is left behind, and ends by its own time limit."""
        self._ending = True
        self._look.set()

    def probe_once(self) -> None:
        """Probe, and note what came of it."""
        try:
            self._probe()
        except DatabaseAwayError as error:
            if self._there.is_set():
                self._away_since = self._monotonic()
                self._there.clear()
                LOG.warning("PostgreSQL is away, no work is taken until it is back: %s", error)
            return
        if not self._there.is_set():
            self._there.set()
            LOG.info("PostgreSQL is back after %.1f s", self._monotonic() - self._away_since)

    def _watch(self) -> None:
        while not self._ending:
            self.probe_once()
            self._look.wait(UP_SECONDS if self._there.is_set() else AWAY_SECONDS)
            self._look.clear()


def database_watch(settings: DatabaseSettings, role: str) -> DatabaseWatch:
    """Return a watch on the PostgreSQL of these settings, not yet started."""
    short = replace(
        settings,
        pool_size=1,
        connect_timeout=min(settings.connect_timeout, CONNECT_SECONDS),
        statement_timeout=min(settings.statement_timeout, ANSWER_SECONDS),
    )
    # Not pinged before use: the probe is the ping.
    engine = create_database_engine(short, f"{role} watch", ping=False)

    def probe() -> None:
        try:
            with engine.connect() as connection:
                connection.execute(_ASK)
        except SQLAlchemyError as error:
            raise DatabaseAwayError(_words(error)) from error

    return DatabaseWatch(probe)


def _words(error: SQLAlchemyError) -> str:
    cause = getattr(error, "orig", None) or error
    return " ".join(str(cause).split()) or type(cause).__name__
