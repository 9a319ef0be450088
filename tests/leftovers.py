"""Which processes a run of everything has left behind: run as `python -m tests.leftovers`, it exits with 1 if any.

They are known by this checkout's `.venv`, so nobody else may be at work in it: for CI.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil

from tests.polling import wait_until

CHECKOUT = Path(__file__).parent.parent
END_WITHIN_S = 10.0  # processes that are ending get this long


def left_running() -> list[str]:
    """The command lines of processes that run out of this checkout's `.venv`, but for us and our parents."""
    mine = psutil.Process()
    spared = {mine.pid, *(parent.pid for parent in mine.parents())}
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        line = " ".join(process.info["cmdline"] or [])
        if process.info["pid"] not in spared and f"{CHECKOUT / '.venv'}{os.sep}" in line:
            found.append(f"process {process.info['pid']}: {line}")
    return found


def main() -> int:
    """Print what was left; return the exit code."""
    try:
        wait_until(lambda: not left_running(), "the end of all processes", END_WITHIN_S)
    except AssertionError:
        sys.stderr.write("".join(f"left behind: {line}\n" for line in left_running()))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
