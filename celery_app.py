"""The Celery application of the workers: `celery -A celery_app worker`."""

import logging
import os
import sys
from typing import Any

from celery import Celery
from celery.signals import celeryd_after_setup, celeryd_init, setup_logging, worker_shutdown

from config.broker import STRAYS
from config.celery_factory import create_celery
from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import WorkerSettings, load_worker
from tasks.admission import Admission
from tasks.contracts.steps import arm_failpoints
from tasks.drain import Drain
from tasks.gate import Gate
from tasks.presence import Presence
from tasks.process import bind_process, current_stopping
from tasks.stopping import Stopping
from workers.database_watch import database_watch
from workers.runtime import create_runtime

WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h
TASK_MODULES = (
    "tasks.event_heals",
    "tasks.disputes",
    "tasks.evidence",
    "tasks.invoice_batches",
    "tasks.invoices",
    "tasks.ledger",
    "tasks.notifications",
    "tasks.payment_operations",
    "tasks.payments",
    "tasks.reconciliation",
    "tasks.refunds",
    "tasks.invariants",
    "tasks.shows",
    "tasks.stripe_events",
)


def _settings() -> WorkerSettings:
    try:
        settings = load_worker()
        arm_failpoints(settings.failpoints)
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(WRONG_SETTINGS)
    return settings


SETTINGS = _settings()


def _create() -> Celery:
    app = create_celery(broker_url=SETTINGS.broker_url, keyspace=SETTINGS.redis.keyspace, include=TASK_MODULES)
    app.conf.update(worker_concurrency=SETTINGS.concurrency, worker_pool="threads")
    app.steps["worker"].add(Drain)
    app.steps["consumer"].add(Gate)
    return app


app = _create()


@celeryd_init.connect
def _log_first(sender: Any, **_: Any) -> None:
    """Set the logs up before Celery has anything to say: at once it warns those who run it as root."""
    configure_logs(SETTINGS.log, _process(sender))


@setup_logging.connect
def _log(**_: Any) -> None:
    """Keep Celery from setting logs up, which it does unless somebody answers this signal."""
    # Tollgate tells of every job itself, with its ids and without its arguments.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


@celeryd_after_setup.connect
def _open(sender: Any, **_: Any) -> None:
    """Open what the worker holds, threads included.

    Not before Celery has set itself up, for which it changes the process's environment: another thread in which libpq
    reads the environment in that moment is ended by a segmentation fault, and the process with it.
    """
    runtime = create_runtime(SETTINGS, "worker", shares_breaker=True)
    watch = database_watch(SETTINGS.database, _process(sender))
    admission = Admission(watch)
    bind_process(runtime, admission, Stopping(runtime, admission))
    watch.start()
    Presence(runtime, lambda: STRAYS.count).start()


@worker_shutdown.connect
def _close(sender: Any, **_: Any) -> None:
    current_stopping().finish(sender.exitcode or os.EX_OK)


def _process(hostname: object) -> str:
    return str(hostname).partition("@")[0]  # worker, webhooks or background
