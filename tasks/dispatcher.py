"""The dispatcher: `python -m tasks.dispatcher`. Two or more may run.

One thread takes the journal in, one does the upkeep, and one gives its pulse (`tasks.pulse`). When Redis or PostgreSQL
is away all of them wait and go on by themselves; nothing is lost meanwhile, since an entry is acknowledged only after
its row is committed. While PostgreSQL is away no entry is read from the journal either: another dispatcher that still
reaches it need not wait for what this one holds.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from config.celery_factory import create_celery
from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import WorkerSettings, load_worker
from tasks.contracts.steps import arm_failpoints
from tasks.intake import BLOCK_MS, Reader
from tasks.pulse import Heart
from tasks.rounds import Rounds
from tasks.upkeep import Chore, chores
from workers.database_watch import DatabaseWatch, database_watch
from workers.redis_client import create_redis
from workers.redis_safety import check_redis
from workers.runtime import Runtime, create_runtime

LOG = logging.getLogger("tollgate.dispatcher")
WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h
AWAY_SECONDS = 0.5  # between two tries while Redis or PostgreSQL is away
SIGNAL_EXIT_BASE = 128  # as a shell reports death by a signal
MILLISECONDS = 1000


def main() -> int:
    """Run until SIGTERM or SIGINT, the second of which ends it at once; returns the exit code."""
    try:
        settings = load_worker()
        arm_failpoints(settings.failpoints)
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return WRONG_SETTINGS
    configure_logs(settings.log, "dispatcher")
    stop = threading.Event()
    _stop_on_signals(stop)
    runtime = create_runtime(settings, "dispatcher")
    try:
        run(runtime, settings, stop)
    except SettingsError as error:
        LOG.critical("%s", error)
        return WRONG_SETTINGS
    finally:
        runtime.close()
    return 0


def _stop_on_signals(stop: threading.Event) -> None:
    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(SIGNAL_EXIT_BASE + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)


def run(runtime: Runtime, settings: WorkerSettings, stop: threading.Event) -> None:
    """Dispatch until `stop` is set.

    Raises:
        SettingsError: if this environment must not run on this Redis.
    """
    app = create_celery(broker_url=settings.broker_url, keyspace=settings.redis.keyspace, publishes_only=True)
    watch = database_watch(settings.database, "dispatcher")
    watch.start()
    rounds = Rounds(watch)
    _persist(rounds, stop, "safety", lambda: check_redis(runtime.redis, settings.environment))
    blocking = create_redis(settings.redis, socket_timeout=settings.redis.socket_timeout + BLOCK_MS / MILLISECONDS)
    reader = Reader(runtime, app, blocking)
    intake = threading.Thread(target=_intake, args=(rounds, watch, reader, stop), name="intake")
    heart = Heart(runtime, watch)
    heart.start()
    intake.start()
    try:
        _upkeep(rounds, watch, chores(runtime, app), settings.jobs.poll_interval, stop)
    finally:
        stop.set()
        intake.join()
        heart.stop()
        watch.close()
        blocking.close()
        app.close()
    LOG.info("dispatcher stopped")


def _persist(rounds: Rounds, stop: threading.Event, name: str, do: Callable[[], object]) -> None:
    while not stop.is_set() and not rounds.attempt(name, do):
        stop.wait(AWAY_SECONDS)


def _intake(rounds: Rounds, watch: DatabaseWatch, reader: Reader, stop: threading.Event) -> None:
    _persist(rounds, stop, "journal", reader.join)
    LOG.info("dispatcher takes the journal in")
    next_left = 0.0
    while not stop.is_set():
        if not watch.wait(AWAY_SECONDS):
            continue
        if time.monotonic() >= next_left and rounds.attempt("left entries", reader.take_left):
            next_left = time.monotonic() + reader.runtime.settings.jobs.claim_idle
        if not rounds.attempt("intake", reader.take_new):
            stop.wait(AWAY_SECONDS)


def _upkeep(rounds: Rounds, watch: DatabaseWatch, all_chores: list[Chore], pause: float, stop: threading.Event) -> None:
    while not stop.is_set():
        for chore in all_chores:
            if time.monotonic() >= chore.due_at and watch.is_there and not stop.is_set():
                rounds.attempt(chore.name, chore.do)
                chore.due_at = time.monotonic() + chore.period
        stop.wait(pause)


if __name__ == "__main__":
    sys.exit(main())
