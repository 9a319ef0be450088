"""Failures of the sandbox in clear words: what did not come up, and where to look."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from sandbox.procfile import ProcfileError
from sandbox.servers import BinaryMissingError, ServerNotStartedError
from sandbox.supervisor import ReleaseError
from sandbox.system import SystemNotReadyError

INTERRUPTED = 130  # as a shell reports Ctrl-C


@contextlib.contextmanager
def say_clearly(console: Console, logs: Path, *, interrupted: int = INTERRUPTED) -> Iterator[None]:
    """Turn what a person can do something about into a line, and Ctrl-C into a quiet end with that exit code."""
    try:
        yield
    except (BinaryMissingError, ServerNotStartedError, ReleaseError, SystemNotReadyError, ProcfileError) as error:
        console.print(f"[red]Error:[/red] {error}\nLogs: {logs}")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("All processes are stopped.")
        sys.exit(interrupted)
