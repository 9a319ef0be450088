"""`python -m ingress` serves the API; wrong settings end it with one line and exit code 78."""

import os
import sys

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer as Server

from config.errors import SettingsError
from config.logs import configure_logs
from config.settings import IngressSettings, load_ingress
from ingress.wsgi import PROCESS
from tasks.contracts.steps import arm_failpoints

HEADER_TIMEOUT = 10_000  # milliseconds; a client that takes longer for its headers only holds a place
BACKLOG = 1024
KILL_TIMEOUT = 15  # seconds to finish what is under way: a waiting request takes up to 10


def main() -> int:
    """Check the settings, then serve until SIGTERM or SIGINT; return the exit code."""
    try:
        settings = load_ingress()
        arm_failpoints(settings.failpoints)  # each process does; here, so that a wrong one stops before it serves
    except SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        return os.EX_CONFIG
    configure_logs(settings.log, PROCESS)
    server(settings).serve()
    return os.EX_OK


def server(settings: IngressSettings) -> Server:
    """Return the web server: one process, whose threads spend their time waiting for Redis."""
    return Server(
        "ingress.wsgi:application",
        factory=True,
        interface=Interfaces.WSGI,
        address=settings.host,
        port=settings.port,
        workers=1,
        blocking_threads=settings.threads,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        websockets=False,
        log_dictconfig={"loggers": {"_granian": {"propagate": True}}, "handlers": {}, "formatters": {}},
        respawn_failed_workers=True,
        workers_kill_timeout=KILL_TIMEOUT,
    )


if __name__ == "__main__":
    sys.exit(main())
