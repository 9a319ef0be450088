"""Flower, the window on Celery: `python -m ops.flower`.

It knows the broker's address and nothing else of ours: no key, no database. It only shows; it keeps nothing on disk.
"""

import asyncio
import logging
import os
import secrets
import signal
import sys
from typing import Any

import click
from flower.options import options  # type: ignore[import-untyped]  # flower has no types
from flower.urls import settings as flower_settings  # type: ignore[import-untyped]  # flower has no types
from tornado.ioloop import IOLoop

from config.celery_factory import create_celery
from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import FlowerSettings, load_flower
from ops.cli import EXIT_FAILED, EXIT_SETTINGS
from ops.flower_events import ClosedEvents
from ops.flower_gate import GatedFlower

TASKS_KEPT = 10_000  # some 20 MB; the jobs' own record is in PostgreSQL
FORGET_WORKER_S = 600  # a worker that is gone for good clutters the page
COOKIE_SECRET_BYTES = 32
_log = logging.getLogger("ops.flower")  # this module's name when it runs is __main__


def main() -> None:
    """Run Flower until SIGTERM or Ctrl-C; end at once with one line if a setting is missing or the port is taken."""
    try:
        settings = load_flower()
    except SettingsError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_SETTINGS)
    configure_logs(settings.log, "flower")
    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # the pages ask for themselves again every few seconds
    logging.getLogger("flower.inspector").setLevel(logging.ERROR)  # no worker yet is no news
    code = asyncio.new_event_loop().run_until_complete(_serve(settings))
    logging.shutdown()
    # An orderly end would wait for threads that wait for a broker that is away; they hold nothing worth saving.
    os._exit(code)


async def _serve(settings: FlowerSettings) -> int:
    """Serve until told to stop; return the exit code."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _end, ended, 0)
    application = create_application(settings, ended)
    try:
        application.start_http_server()
    except OSError as error:
        _log.critical("cannot listen on %s:%d: %s", settings.host, settings.port, error.strerror)
        return EXIT_FAILED
    _log.info("Flower shows the queues at http://%s:%d", settings.host, settings.port)
    application.events.start()
    application.update_workers()
    code = await ended
    application.events.timer.stop()
    application.executor.shutdown(wait=False, cancel_futures=True)
    return code


def create_application(settings: FlowerSettings, ended: "asyncio.Future[int]") -> GatedFlower:
    """Return Flower for the running loop; if it can't hear the broker any more, it ends with a failure."""
    _set_options(settings)
    celery = create_celery(broker_url=settings.broker_url, keyspace=settings.keyspace)
    loop = IOLoop.current()
    events = ClosedEvents(
        celery, loop, max_workers_in_memory=options.max_workers, max_tasks_in_memory=options.max_tasks
    )
    events.on_deaf = lambda: _end(ended, EXIT_FAILED)
    return GatedFlower(
        user=settings.user,
        password=settings.password,
        options=options,
        capp=celery,
        events=events,
        io_loop=loop,
        **_web_settings(),
    )


def _set_options(settings: FlowerSettings) -> None:
    """Set Flower's options, which are global; neither its files, arguments nor environment are read."""
    options.address, options.port = settings.host, settings.port
    options.basic_auth = [f"{settings.user}:{settings.password}"]  # the gate asks first; this opens Flower's own API
    options.read_only = True
    options.persistent = False
    options.max_tasks = TASKS_KEPT
    options.purge_offline_workers = FORGET_WORKER_S
    options.natural_time = False
    options.tasks_columns = "name,uuid,state,received,started,runtime,worker,exception"


def _web_settings() -> dict[str, Any]:
    return {
        **flower_settings,
        "cookie_secret": secrets.token_urlsafe(COOKIE_SECRET_BYTES),
        "xsrf_cookie_kwargs": {"samesite": "Strict"},
        "debug": False,
    }


def _end(ended: "asyncio.Future[int]", code: int) -> None:
    if not ended.done():
        ended.set_result(code)


if __name__ == "__main__":
    main()
