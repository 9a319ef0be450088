"""What Valkey and PostgreSQL have in common as embedded servers: start on a free port, kill, freeze, bring back."""

from __future__ import annotations

import abc
import signal
import threading
import time
from pathlib import Path

from sandbox.guarded import Guarded
from sandbox.servers.ports import HOST, free_port

START_DEADLINE_S = 60.0  # generous: a loaded machine, or crash recovery of a large log
POLL_S = 0.01  # short against the 50 ms that a server takes to start
BIND_TRIES = 5  # a lost race for a port is rare, five in a row are no accident
TAIL_LINES = 5  # of the log, in an error message
BIND_LOST = "Address already in use"


class ServerNotStartedError(RuntimeError):
    """An embedded server did not come up; the message ends with its last log lines."""


class Server(abc.ABC):
    """An embedded server on 127.0.0.1 whose data outlives its process; its port stays the same over restarts.

    `folder` holds data and log; `port` is chosen at the first start unless given.
    """

    name: str

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.host = HOST
        self.log = folder / f"{self.name}.log"
        self._wanted_port = port
        self._port = port
        self._log_start = 0
        self._process: Guarded | None = None

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; raises ServerNotStartedError before the first start."""
        if self._port is None:
            raise ServerNotStartedError(f"{self.name} has no port yet: start it first")
        return self._port

    @property
    def pid(self) -> int:
        """The server's own process id; raises ServerNotStartedError when it is not running."""
        if self._process is None or self._process.exit_code is not None:
            raise ServerNotStartedError(f"{self.name} is not running")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there, frozen or not."""
        return self._process is not None and self._process.exit_code is None

    def start(self) -> None:
        """Start and wait until it answers; raises ServerNotStartedError. Starting a running server does nothing."""
        if self.running:
            return
        self.prepare()
        for attempt in range(1, BIND_TRIES + 1):
            chosen_here = self._port is None
            if self._port is None:
                self._port = free_port()
            self._log_start = self.log.stat().st_size if self.log.exists() else 0
            with self.log.open("ab") as output:
                self._process = self.launch(output.fileno())
            try:
                self._wait_until_ready(self._process)
            except ServerNotStartedError:
                self._end(self._process)
                if chosen_here and attempt < BIND_TRIES and BIND_LOST in self.log_since_start():
                    self._port = None
                    continue
                raise
            except BaseException:
                self._end(self._process)
                raise
            return

    def stop(self) -> None:
        """Stop gracefully and wait for the end; the data stay. Stopping a stopped server does nothing."""
        if self._process is not None:
            self._end(self._process)

    def kill9(self) -> None:
        """SIGKILL the server and all its processes, and wait until they are gone."""
        if self._process is not None:
            self._process.kill9()

    def restart(self) -> None:
        """Stop gracefully and start again on the same port with the same data."""
        self.stop()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP all its processes: connections stay open and nothing answers."""
        if self._process is not None:
            self._process.send_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._process is not None:
            self._process.send_all(signal.SIGCONT)

    def close(self) -> None:
        """Stop for good and leave nothing behind but the folder."""
        self.stop()

    @abc.abstractmethod
    def prepare(self) -> None:
        """Make the folder ready; called before every start."""

    @abc.abstractmethod
    def launch(self, output: int) -> Guarded:
        """Start the process with its log on the descriptor `output`."""

    @abc.abstractmethod
    def is_ready(self, process: Guarded) -> bool:
        """Whether this very process, and no other server on the port, answers."""

    def log_since_start(self) -> str:
        """What it has logged since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _end(self, process: Guarded) -> None:
        process.stop()

    def _wait_until_ready(self, process: Guarded) -> None:
        deadline = time.monotonic() + START_DEADLINE_S
        pause = threading.Event()
        while not self.is_ready(process):
            if process.exit_code is not None:
                raise ServerNotStartedError(f"{self.name} ended with exit code {process.exit_code}; {self.log_tail()}")
            if time.monotonic() >= deadline:
                raise ServerNotStartedError(
                    f"{self.name} did not answer within {START_DEADLINE_S:.0f} s; {self.log_tail()}"
                )
            pause.wait(POLL_S)

    def log_tail(self) -> str:
        """The last lines of the log, on one line, for an error message."""
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return f"{self.log} ends with: " + " | ".join(line.strip() for line in lines)
