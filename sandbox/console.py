"""The output of many processes on one terminal: each line with its process's name, in that process's colour."""

from __future__ import annotations

import itertools
import threading
from typing import TextIO

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)  # ANSI foregrounds readable on dark and light, red kept for trouble
NAME_WIDTH = 21  # the longest name in the Procfile is worker-notifications


class Console:
    """Writes whole lines, one at a time, whichever thread they come from.

    When the other end of a pipe has gone (`make run | head`) the lines are dropped: the processes go on.
    """

    def __init__(self, stream: TextIO, *, colour: bool | None = None) -> None:
        self._stream: TextIO | None = stream
        self._colour = stream.isatty() if colour is None else colour
        self._lock = threading.Lock()
        self._colours = itertools.cycle(COLOURS)
        self._by_name: dict[str, int] = {}

    def write(self, name: str, line: str) -> None:
        """Write one line of the process called `name`."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._stream.write(f"{self._prefix(name)} {line}\n")
                self._stream.flush()
            except BrokenPipeError:
                self._stream = None

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{NAME_WIDTH}}|"
        if not self._colour:
            return prefix
        if name not in self._by_name:
            self._by_name[name] = next(self._colours)
        return f"\x1b[{self._by_name[name]}m{prefix}\x1b[0m"
