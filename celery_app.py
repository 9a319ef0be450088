"""The Celery application of the workers: `celery -A celery_app worker`."""

import logging
import sys
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown

from config.celery_factory import create_celery
from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import WorkerSettings, load_worker
from tasks.contracts.steps import arm_failpoints
from tasks.job import bind_runtime, current_runtime
from workers.runtime import create_runtime

WRONG_SETTINGS = 78  # EX_CONFIG of sysexits.h
TASK_MODULES = ("tasks.payments", "tasks.stripe_events")


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
    return app


app = _create()


@setup_logging.connect
def _log(**_: Any) -> None:
    configure_logs(SETTINGS.log, "worker")
    # Tollgate tells of every job itself, with its ids and without its arguments.
    logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").setLevel(logging.WARNING)


@worker_init.connect
def _open(sender: Any, **_: Any) -> None:
    configure_logs(SETTINGS.log, str(sender.hostname).partition("@")[0])  # worker, webhooks or background
    bind_runtime(create_runtime(SETTINGS, "worker", shares_breaker=True))


@worker_shutdown.connect
def _close(**_: Any) -> None:
    current_runtime().close()
    bind_runtime(None)
