"""The entry point of a web server's worker process."""

import os
import signal
import threading

from flask import Flask

from config.logs import configure_logs
from config.settings import load_ingress
from ingress.app import create_app
from ingress.server import PROCESS
from tasks.contracts.steps import arm_failpoints

WATCH_SECONDS = 0.5  # the port is free again this long after the parent was killed


def application() -> Flask:
    """Return the application with the settings of the environment."""
    settings = load_ingress()
    configure_logs(settings.log, PROCESS)
    arm_failpoints(settings.failpoints)
    _end_with(os.getppid())
    return create_app(settings)


def _end_with(parent: int) -> None:
    """Stop this process, gracefully, once its parent is gone: else it would keep the port from the next one."""

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()
