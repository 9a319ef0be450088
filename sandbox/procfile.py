"""The Procfile: which processes make up the system, one `name: command` a line."""

from __future__ import annotations

import re
from pathlib import Path

LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")
RELEASE = "release"  # run once, to its end, before the others start


class ProcfileError(ValueError):
    """A Procfile that can't be read; the message names the line."""


def read_procfile(path: Path) -> dict[str, list[str]]:
    """Each process's argument list, in the file's order.

    Lines are shell by convention (`${PORT:-8000}`), so each runs by `/bin/sh`, which it replaces by `exec`.

    Raises:
        ProcfileError: no such file, a line that is not `name: command`, or a name that is there twice.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise ProcfileError(f"{path}: {error.strerror}") from error
    commands: dict[str, list[str]] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise ProcfileError(f"{path}, line {number}: expected `name: command`, found {line.strip()!r}")
        if match["name"] in commands:
            raise ProcfileError(f"{path}, line {number}: the name {match['name']!r} is there twice")
        commands[match["name"]] = ["/bin/sh", "-c", f"exec {match['command']}"]
    return commands
