"""The supervisor: runs the Procfile's processes, starts again what dies, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self, TextIO

from sandbox.console import Console
from sandbox.processes import Event, SupervisedProcess, Surroundings
from sandbox.procfile import RELEASE, read_procfile

STOP_DEADLINE_S = 20.0  # for all processes together; what is left then gets SIGKILL
LEAST_STOP_S = 0.5  # what each gets all the same
RELEASE_DEADLINE_S = 120.0  # migrations of an empty database take seconds
SIGNAL_EXIT_BASE = 128  # as a shell reports death by a signal
TAIL_LINES = 5  # of the release's log, in an error message

Handler = Callable[[int, FrameType | None], object] | int | None


class ReleaseError(RuntimeError):
    """The Procfile's release command did not exit with 0, so nothing was started."""


class UnknownProcessError(KeyError):
    """No process of that name is supervised."""

    def __str__(self) -> str:
        return str(self.args[0])


class Supervisor:
    """Runs the processes of a Procfile, and any added ones, for the length of a `with` block.

    Entering starts the added processes, runs `release` (which must exit with 0), then starts the others in the file's
    order. SIGTERM and SIGHUP end the block by SystemExit, Ctrl-C by KeyboardInterrupt. Leaving stops all in reverse
    order within 20 s; a second signal, or the deadline, brings SIGKILL. If this process is killed, they are stopped.

    Args:
        procfile: the file; its folder is the working folder of the processes.
        environment: all that the processes see of it; this Python's folder is put in front of its PATH.
        log_folder: made if it is not there; gets `<name>.log` for each process, appended to.
        only: names out of the Procfile; None for all. `release` runs only if it is among them.
        on_event: called with each Event, from any thread; it must be quick.
        environments: of single processes, by name, each instead of `environment`: so that each sees what it may.
        first_life: added to the environment of each process, but not when it is started again.
        console: gets all output with the names in front; without a log folder, standard output is the default.
    """

    def __init__(
        self,
        procfile: Path,
        environment: Mapping[str, str],
        log_folder: Path | None = None,
        only: Collection[str] | None = None,
        on_event: Callable[[Event], None] | None = None,
        console: TextIO | None = None,
        environments: Mapping[str, Mapping[str, str]] | None = None,
        first_life: Mapping[str, str] | None = None,
    ) -> None:
        commands = read_procfile(procfile)
        unknown = sorted(set(only or ()) - set(commands))
        if unknown:
            raise UnknownProcessError(f"{procfile} has no process {', '.join(unknown)}; it has {', '.join(commands)}")
        stream = console or (sys.stdout if log_folder is None else None)
        self._surroundings = Surroundings(
            folder=procfile.absolute().parent,
            environment=_with_our_path(environment),
            log_folder=log_folder,
            console=Console(stream) if stream is not None else None,
            note=on_event or (lambda _: None),
            first_life=first_life or {},
        )
        self._environments = {name: _with_our_path(own) for name, own in (environments or {}).items()}
        self._planned = {name: command for name, command in commands.items() if only is None or name in only}
        self._processes: dict[str, SupervisedProcess] = {}
        self._entered = False
        self._from_procfile: list[str] = []
        self._stop_asked = threading.Event()
        self._handlers: dict[signal.Signals, Handler] = {}

    def add(self, name: str, command: Sequence[str]) -> None:
        """Supervise one more command: started first if added before the `with` block, else at once.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._processes or name in self._planned:
            raise ValueError(f"a process called {name!r} is supervised already")
        process = self._processes[name] = SupervisedProcess(name, list(command), self._surroundings_of(name))
        if self._entered:
            process.start()

    def __enter__(self) -> Self:
        if self._surroundings.log_folder is not None:
            self._surroundings.log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._take_signals()
        try:
            self._start_all()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_all()

    @property
    def names(self) -> list[str]:
        """The names of all supervised processes, in the order of their start."""
        return list(self._processes)

    def pids(self, name: str) -> list[int]:
        """The process's own id, then those of all below it; empty while it is down."""
        return self._process(name).pids()

    def starts(self, name: str) -> int:
        """How often the process was started."""
        return self._process(name).starts

    def start(self, name: str) -> None:
        """Start a stopped process."""
        self._process(name).start()

    def stop(self, name: str) -> None:
        """Stop a process gracefully; it stays down until `start`."""
        self._process(name).stop()

    def restart(self, name: str) -> None:
        """Stop a process gracefully and start it again."""
        self.stop(name)
        self.start(name)

    def reload(self, name: str) -> None:
        """Ask a process to start itself anew without a pause, as the web process does (SIGHUP)."""
        self._process(name).reload()

    def kill(self, name: str) -> None:
        """SIGKILL a process and all below it; it is started again."""
        self._process(name).kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP a process and all below it."""
        self._process(name).freeze()

    def thaw(self, name: str) -> None:
        """Let a frozen process go on."""
        self._process(name).thaw()

    def ask_to_stop(self) -> None:
        """Let `wait` return; from any thread."""
        self._stop_asked.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `ask_to_stop` (then True), a signal (which raises) or the end of `timeout_s` seconds (False)."""
        return self._stop_asked.wait(timeout_s)

    def _process(self, name: str) -> SupervisedProcess:
        try:
            return self._processes[name]
        except KeyError:
            raise UnknownProcessError(f"no process {name!r} is supervised; there are {', '.join(self.names)}") from None

    def _surroundings_of(self, name: str) -> Surroundings:
        own = self._environments.get(name)
        return self._surroundings if own is None else dataclasses.replace(self._surroundings, environment=own)

    def _start_all(self) -> None:
        for process in list(self._processes.values()):
            process.start()
        release = self._planned.pop(RELEASE, None)
        if release is not None:
            self._release(SupervisedProcess(RELEASE, release, self._surroundings_of(RELEASE)))
        self._entered = True
        for name in list(self._planned):
            self.add(name, self._planned.pop(name))
            self._from_procfile.append(name)

    def _release(self, process: SupervisedProcess) -> None:
        code = process.run_once(RELEASE_DEADLINE_S)
        if code != 0:
            raise ReleaseError(f"the release command ended with exit code {code}{self._release_tail()}")

    def _release_tail(self) -> str:
        folder = self._surroundings.log_folder
        if folder is None:
            return "; its output is above"
        lines = (folder / f"{RELEASE}.log").read_text(errors="replace").splitlines()[-TAIL_LINES:]
        return f"; {folder / RELEASE}.log ends with: " + " | ".join(line.strip() for line in lines)

    def _stop_all(self) -> None:
        for process in self._processes.values():
            process.refuse_restarts()
        self._on_signals(self._force)
        deadline = time.monotonic() + STOP_DEADLINE_S
        try:
            # The Procfile's processes end side by side; what was added, they may need until they have ended.
            for name in self._from_procfile:
                self._processes[name].ask_to_stop()
            for process in reversed(list(self._processes.values())):
                process.stop(max(LEAST_STOP_S, deadline - time.monotonic()))
        finally:
            self._give_signals_back()

    def _take_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread may; the others rely on their own way of stopping
        self._handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        self._on_signals(_leave)

    def _on_signals(self, handler: Callable[[int, FrameType | None], object]) -> None:
        for number, before in self._handlers.items():
            if before is not signal.SIG_IGN:  # nohup, and shells' background jobs, ask to be left alone
                signal.signal(number, handler)

    def _give_signals_back(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _force(self, _number: int, _frame: FrameType | None) -> None:
        for process in self._processes.values():
            process.force()


def _with_our_path(environment: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", os.defpath)])
    return {**environment, "PATH": path}


def _leave(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(SIGNAL_EXIT_BASE + number)
