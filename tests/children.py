"""Child processes of a test, which end with it even when it fails."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def child(command: Sequence[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command, its standard output in a pipe unless told otherwise; what still runs after the block is killed."""
    with subprocess.Popen(command, text=True, **{"stdout": subprocess.PIPE, **options}) as process:  # type: ignore[call-overload]  # Popen's options are passed through
        try:
            yield process
        finally:
            process.kill()
