"""One supervised process: kept running until it is told to stop."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal

from sandbox.console import Console
from sandbox.guarded import CommandNotStartedError, Guarded

FIRST_RESTART_S = 0.2  # at once for a person, yet no busy loop
LONGEST_RESTART_S = 5.0  # a process that can't start is tried again often enough to see a repair
STEADY_S = 10.0  # after so long a life the next restart is quick again
PROCESS_GRACE_S = 18.0  # above the 15 s after which the slowest, web and workers, end by themselves
LAUNCH_DEADLINE_S = 30.0  # for the first fork and exec on a loaded machine

EventKind = Literal["started", "ended", "restarting", "stopped", "reloading", "killed", "frozen", "thawed"]


@dataclass(frozen=True)
class Event:
    """Something that happened to a supervised process."""

    name: str
    kind: EventKind
    detail: str


@dataclass(frozen=True)
class Surroundings:
    """What all processes of one supervisor share.

    `log_folder` gets a file for each process, `console` shows every line, `note` is called with events from any thread.
    `first_life` is added to the environment of each process, but not when it is started again.
    """

    folder: Path
    environment: Mapping[str, str]
    log_folder: Path | None
    console: Console | None
    note: Callable[[Event], None]
    first_life: Mapping[str, str] = field(default_factory=dict)


@dataclass
class SupervisedProcess:
    """A command that is started again whenever it ends, until `stop`. Its methods may be called from any thread."""

    name: str
    command: list[str]
    surroundings: Surroundings
    starts: int = 0
    _killed: bool = False
    _guarded: Guarded | None = None
    _thread: threading.Thread | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)
    _launched: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start it and keep it running; returns once it was launched. Does nothing when it is kept running already."""
        if self._thread is not None:
            return
        self._stopping.clear()
        self._launched.clear()
        self._thread = threading.Thread(target=self._keep_running, name=f"supervise-{self.name}", daemon=True)
        self._thread.start()
        self._launched.wait(LAUNCH_DEADLINE_S)

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop it for good: SIGTERM, and SIGKILL after its grace or after `timeout_s` seconds."""
        if self._thread is None:
            return
        self.refuse_restarts()
        if self._guarded is not None:
            self._guarded.stop(timeout_s)
        self._thread.join()
        self._thread = None
        self._tell("stopped", "stopped")

    def ask_to_stop(self) -> None:
        """Begin the stop without waiting for the end; `stop` then waits."""
        self.refuse_restarts()
        if self._guarded is not None:
            self._guarded.ask_to_stop()

    def refuse_restarts(self) -> None:
        """From now on its end is final; once this returns no new life of it begins."""
        with self._lock:
            self._stopping.set()

    def reload(self) -> None:
        """Send it SIGHUP."""
        if self._guarded is not None:
            self._guarded.send(signal.SIGHUP)
            self._tell("reloading", "gets SIGHUP")

    def kill(self) -> None:
        """SIGKILL it and everything below it; it is started again, and soon, unless it was stopped."""
        if self._guarded is not None:
            self._killed = True
            self._tell("killed", f"process {self._guarded.pid} gets SIGKILL")
            self._guarded.kill9()

    def force(self) -> None:
        """SIGKILL it without waiting or locking, so that a signal handler may call this."""
        if self._guarded is not None:
            self._guarded.send_all(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP it and everything below it."""
        if self._guarded is not None:
            self._guarded.send_all(signal.SIGSTOP)
            self._tell("frozen", "frozen by SIGSTOP")

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        if self._guarded is not None:
            self._guarded.send_all(signal.SIGCONT)
            self._tell("thawed", "goes on")

    def pids(self) -> list[int]:
        """Its own process id, then those of all processes below it; empty while it is down."""
        return [] if self._guarded is None else [process.pid for process in self._guarded.tree()]

    def run_once(self, timeout_s: float) -> int:
        """Run it to its end and return its exit code; SIGKILL after `timeout_s` seconds."""
        with self._output() as (output, log), contextlib.closing(self._launch(output)) as guarded:
            timer = threading.Timer(timeout_s, guarded.send_all, (signal.SIGKILL,))
            timer.start()
            try:
                self._show(guarded, log)
                return guarded.wait()
            finally:
                timer.cancel()
                timer.join()

    def _keep_running(self) -> None:
        delay_s = FIRST_RESTART_S
        while not self._stopping.is_set():
            started = time.monotonic()
            outcome = self._run()
            if self._stopping.is_set():
                return
            if self._killed or time.monotonic() - started >= STEADY_S:
                delay_s = FIRST_RESTART_S
            self._killed = False
            self._tell("ended", outcome)
            self._tell("restarting", f"starts again in {delay_s:.1f} s")
            self._stopping.wait(delay_s)
            delay_s = min(delay_s * 2, LONGEST_RESTART_S)

    def _run(self) -> str:
        """One life of the process; returns how it ended, in words."""
        with self._output() as (output, log):
            try:
                with self._lock:
                    if self._stopping.is_set():
                        return "not started"
                    guarded = self._guarded = self._launch(output)
            except CommandNotStartedError as error:
                return f"could not be started: {error}"
            finally:
                self._launched.set()
            self.starts += 1
            self._tell("started", f"started as process {guarded.pid}")
            try:
                self._show(guarded, log)
                return f"ended with exit code {guarded.wait()}"
            finally:
                guarded.close()

    def _launch(self, output: int | IO[bytes]) -> Guarded:
        around = self.surroundings
        return Guarded(
            self.command,
            environment={**around.environment, **(around.first_life if self.starts == 0 else {})},
            folder=around.folder,
            output=output,
            grace_s=PROCESS_GRACE_S,
        )

    @contextlib.contextmanager
    def _output(self) -> Iterator[tuple[int | IO[bytes], IO[bytes] | None]]:
        """Where the process writes, and the log for shown lines; without a console it writes to the log itself."""
        around = self.surroundings
        with contextlib.ExitStack() as stack:
            log = None
            if around.log_folder is not None:
                log = stack.enter_context((around.log_folder / f"{self.name}.log").open("ab", buffering=0))
            if around.console is None and log is not None:
                yield log, None
            else:
                yield subprocess.PIPE, log

    def _show(self, guarded: Guarded, log: IO[bytes] | None) -> None:
        for line in guarded.output or ():
            if log is not None:
                log.write(line)
            if self.surroundings.console is not None:
                self.surroundings.console.write(self.name, line.decode(errors="replace").rstrip("\r\n"))

    def _tell(self, kind: EventKind, detail: str) -> None:
        if self.surroundings.console is not None:
            self.surroundings.console.write(self.name, f"-- {detail}")
        self.surroundings.note(Event(self.name, kind, detail))
