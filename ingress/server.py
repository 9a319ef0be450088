"""The web server: Granian, with one listening socket that outlives its worker processes.

On Linux Granian gives every worker a socket of its own (SO_REUSEPORT), so that connections which wait in the queue of
one that stops are reset. Here the parent opens one socket and keeps it, as Granian does elsewhere: a reload loses
nothing.
"""

import logging
import multiprocessing
import os
import socket
import subprocess
import sys
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.mp import MPServer

from config.settings import IngressSettings

LOG = logging.getLogger("ingress.server")
PROCESS = "web"  # its name in the log
HEADER_TIMEOUT = 10_000  # milliseconds; a client that takes longer for its headers only holds a place
BACKLOG = 1024
KILL_TIMEOUT = 15  # seconds to finish what is under way: a waiting request takes up to 10
OVERLAP = (
    2.0  # seconds for a new worker to start before the old one is told to stop; on a busy machine both serve longer
)
CHECK = "--check"
CHECK_TIMEOUT = 30.0  # seconds; a start takes one, and more on a busy machine
_IS_UNIX_SOCKET = False
LISTEN_FD = 3  # the first socket that systemd passes on (man 3 sd_listen_fds)


class Server(MPServer):
    """Granian's server on one listening socket, which reloads only what starts."""

    def _init_shared_socket(self) -> None:
        self._sso = listening_socket(self.bind_addr, self.bind_port)
        holder: Any = SocketHolder  # its stub leaves the arguments out
        self._shd = holder(self._sso.fileno(), _IS_UNIX_SOCKET, BACKLOG)

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        """Start a new worker and stop the old one, unless the new one would fail: that would end Granian altogether."""
        starts = _starts()
        if self.interrupt_signal:
            return  # told to stop meanwhile
        if starts:
            super()._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]  # granian leaves it untyped
            return
        LOG.error("the code or the settings do not start any more: the old worker goes on")
        self.reload_signal = False
        self.main_loop_interrupt.clear()


def server(settings: IngressSettings) -> Server:
    """Return the web server: one worker process at a time, whose threads spend their time waiting for Redis.

    SIGHUP starts a new worker, which reads the code anew, and then stops the old one.
    """
    # A forked worker would go on with the code that its parent has read.
    multiprocessing.set_start_method("spawn", force=True)
    return Server(
        "ingress.wsgi:application",
        factory=True,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # what the proxy in front speaks to us
        address=settings.host,
        port=settings.port,
        workers=1,
        blocking_threads=settings.threads,
        backlog=BACKLOG,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        websockets=False,
        log_dictconfig={"loggers": {"_granian": {"propagate": True}}, "handlers": {}, "formatters": {}},
        respawn_failed_workers=True,
        respawn_interval=OVERLAP,
        workers_kill_timeout=KILL_TIMEOUT,
    )


def _starts() -> bool:
    """Tell whether a worker would start, by a process that reads the code and the settings as one would."""
    try:
        done = subprocess.run([sys.executable, "-m", "ingress", CHECK], timeout=CHECK_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == os.EX_OK


def listening_socket(host: str, port: int) -> socket.socket:
    """Return the socket to listen on: the one that whoever started this process has passed on, or a new one.

    A socket that is passed on, as systemd does, lets a new parent with new settings take over without a gap.

    Raises:
        OSError: the address can't be listened on.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        given = socket.socket(fileno=LISTEN_FD)
    else:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        given = socket.create_server((host, port), family=family, backlog=BACKLOG)
    given.settimeout(0)
    given.set_inheritable(True)
    return given
