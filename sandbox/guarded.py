"""A child process that can't outlive its starter, held by a guardian (`sandbox/guardian.py`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

import psutil

GUARDIAN = Path(__file__).with_name("guardian.py")
STOP_GRACE_S = 10.0  # what a process gets for a graceful end before force is used
FORCE_MARGIN_S = 10.0  # after SIGKILL only a stuck kernel or disk takes longer

Identity = Literal["same", "namespace", "nobody"]


class CommandNotStartedError(OSError):
    """The command could not be started."""


class Guarded:
    """One running command, ended with everything below it when this process ends, however that happens.

    `pid` is the command's own, not the guardian's.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path | None = None,
        output: int | IO[bytes] | None = None,
        stop_signals: Sequence[signal.Signals] = (signal.SIGTERM,),
        grace_s: float = STOP_GRACE_S,
        identity: Identity = "same",
    ) -> None:
        self.command = list(command)
        self._full_grace_s = grace_s * (len(stop_signals) + 1) + FORCE_MARGIN_S
        status_read, status_write = os.pipe()
        numbers = ",".join(str(int(number)) for number in stop_signals)
        try:
            self._guardian = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    str(GUARDIAN),
                    str(status_write),
                    numbers,
                    str(grace_s),
                    identity,
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output is not None else None,
                cwd=folder,
                env=dict(environment),
                pass_fds=(status_write,),
                start_new_session=True,  # the terminal's Ctrl-C is for the starter, who stops its children in order
                bufsize=0,
            )
        except BaseException:
            os.close(status_read)
            raise
        finally:
            os.close(status_write)
        with os.fdopen(status_read) as status:
            word, _, rest = status.readline().strip().partition(" ")
        if word != "pid":
            self.close()
            raise CommandNotStartedError(rest or f"the guardian of {command[0]} did not start")
        self.pid = int(rest)

    @property
    def output(self) -> IO[bytes] | None:
        """What the command writes, if it was started with `output=subprocess.PIPE`."""
        return self._guardian.stdout

    @property
    def exit_code(self) -> int | None:
        """The exit code as a shell would report it (128 + signal), or None while it runs."""
        return self._guardian.poll()

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for the end of the command and all below it; raises subprocess.TimeoutExpired."""
        code = self._guardian.wait(timeout_s)
        self._end_lifeline()
        return code

    def tree(self) -> list[psutil.Process]:
        """The command's process and all below it, or nothing once it has ended."""
        try:
            process = psutil.Process(self.pid)
            if self.exit_code is not None or process.ppid() != self._guardian.pid:
                return []
            return [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the command's own process, if it still runs."""
        lifeline = self._guardian.stdin
        if lifeline is None or lifeline.closed or self.exit_code is not None:
            return
        try:
            lifeline.write(f"{int(number)}\n".encode())
        except (BrokenPipeError, ValueError):  # ValueError: another thread has closed it
            return  # it has ended meanwhile; exit_code says how

    def send_all(self, number: signal.Signals) -> None:
        """Send a signal to the command and everything below it; delivered when this returns."""
        for process in self.tree():
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                continue  # ended meanwhile

    def kill9(self) -> int:
        """SIGKILL the command and everything below it, and wait until all are gone."""
        self.send_all(signal.SIGKILL)
        return self.stop()

    def stop(self, timeout_s: float | None = None) -> int:
        """Stop the command with its stop signals, then SIGKILL; return its exit code. Repeating it is harmless.

        With `timeout_s`, SIGKILL comes then at the latest.
        """
        self._end_lifeline()
        try:
            return self._guardian.wait(timeout_s if timeout_s is not None else self._full_grace_s)
        except subprocess.TimeoutExpired:
            self.send_all(signal.SIGKILL)
            return self._guardian.wait(self._full_grace_s)

    def ask_to_stop(self) -> None:
        """Begin the stop without waiting for the end; `stop` then waits. Repeating it is harmless."""
        self._end_lifeline()

    def close(self) -> None:
        """Stop, and give back the descriptor of the output."""
        self.stop()
        if self._guardian.stdout is not None:
            self._guardian.stdout.close()

    def _end_lifeline(self) -> None:
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
