"""The dispatcher: `python -m tasks.dispatcher`. Two or more may run.

One thread takes the journal in, one does the upkeep, and one gives its pulse (`tasks.pulse`). When Redis or PostgreSQL
is away all of them wait and go on by themselves; nothing is lost meanwhile, since an entry is acknowledged only after
its row is committed.
"""

import logging
import signal
import sys
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from config.celery_factory import create_celery
from config.errors import DatabaseAwayError, SettingsError
from config.logs import configure_logs
from config.settings import WorkerSettings, load_worker
from tasks.contracts.steps import arm_failpoints
from tasks.intake import BLOCK_MS, Reader
from tasks.pulse import Heart
from tasks.upkeep import Chore, chores
from workers.database_watch import database_watch
from workers.redis_client import create_redis
from workers.redis_safety import check_redis
from workers.runtime import Runtime, create_runtime

LOG = logging.getLogger("tollgate.dispatcher")
WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h
AWAY_SECONDS = 0.5  # between two tries while Redis or PostgreSQL is away
AWAY_ERRORS = (RedisError, DatabaseAwayError)
MILLISECONDS = 1000


def main() -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = load_worker()
        arm_failpoints(settings.failpoints)
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return WRONG_SETTINGS
    configure_logs(settings.log, "dispatcher")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    runtime = create_runtime(settings, "dispatcher")
    try:
        run(runtime, settings, stop)
    except SettingsError as error:
        LOG.critical("%s", error)
        return WRONG_SETTINGS
    finally:
        runtime.close()
    return 0


def run(runtime: Runtime, settings: WorkerSettings, stop: threading.Event) -> None:
    """Dispatch until `stop` is set.

    Raises:
        SettingsError: if this environment must not run on this Redis.
    """
    app = create_celery(broker_url=settings.broker_url, keyspace=settings.redis.keyspace, publishes_only=True)
    _persist(stop, "safety", lambda: check_redis(runtime.redis, settings.environment))
    blocking = create_redis(settings.redis, socket_timeout=settings.redis.socket_timeout + BLOCK_MS / MILLISECONDS)
    reader = Reader(runtime, app, blocking)
    intake = threading.Thread(target=_intake, args=(reader, settings, stop), name="intake")
    heart = Heart(runtime, database_watch(settings.database, "dispatcher"))
    heart.start()
    intake.start()
    try:
        _upkeep(chores(runtime, app), settings.jobs.poll_interval, stop)
    finally:
        stop.set()
        intake.join()
        heart.stop()
        blocking.close()
        app.close()
    LOG.info("dispatcher stopped")


def _persist(stop: threading.Event, name: str, do: Callable[[], object]) -> None:
    while not stop.is_set() and not _try(name, do):
        stop.wait(AWAY_SECONDS)


def _intake(reader: Reader, settings: WorkerSettings, stop: threading.Event) -> None:
    _persist(stop, "journal", reader.join)
    LOG.info("dispatcher takes the journal in")
    next_left = 0.0
    while not stop.is_set():
        if time.monotonic() >= next_left and _try("left entries", reader.take_left):
            next_left = time.monotonic() + settings.jobs.claim_idle
        if not _try("intake", reader.take_new):
            stop.wait(AWAY_SECONDS)


def _upkeep(all_chores: list[Chore], pause: float, stop: threading.Event) -> None:
    while not stop.is_set():
        for chore in all_chores:
            if time.monotonic() >= chore.due_at and not stop.is_set():
                _try(chore.name, chore.do)
                chore.due_at = time.monotonic() + chore.period
        stop.wait(pause)


def _try(name: str, do: Callable[[], object]) -> bool:
    """Do it, and tell whether that went well: a dispatcher outlives whatever one round meets."""
    try:
        do()
    except AWAY_ERRORS as error:
        LOG.warning("%s waits: %s: %s", name, type(error).__name__, error)
        return False
    except SettingsError:
        raise
    except Exception:
        LOG.exception("%s failed unexpectedly", name)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
