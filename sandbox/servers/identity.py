"""Who PostgreSQL runs as: it refuses to run as root, even on a developer's throw-away machine."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.guarded import CommandNotStartedError, Guarded, Identity
from sandbox.guardian import NOBODY
from sandbox.servers.binaries import postgres_folder, postgres_installation

ENVIRONMENT = {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC"}
TEMPORARY_FOLDERS = ("/tmp", "/var/tmp")  # noqa: S108 - mkdtemp makes the folder in it
HOME_NOTE = "home"  # in the caller's folder: where the data are when they can't be there
PROBE_S = 30.0  # for starting a shell; generous for a loaded machine


def identity_for(folder: Path) -> Identity:
    """How PostgreSQL can run on `folder` (which must exist).

    Not root: as we are. Root on Linux: in a user namespace, where root's files belong to an ordinary user. Where that
    is forbidden (some containers), or the folder is not root's own, or on macOS: as nobody, at another place.
    """
    if os.geteuid() != 0:
        return "same"
    if sys.platform == "linux" and _namespace_works(folder):
        return "namespace"
    return "nobody"


def nobodys_home(folder: Path) -> Path:
    """The folder of nobody's own that stands in for `folder`, with the programs in it; the same one every time.

    It is outside of `folder`, whose parents may be closed to nobody; a note in `folder` says where.
    """
    note = folder / HOME_NOTE
    if note.exists():
        home = Path(note.read_text().strip())
        if home.is_dir() and home.stat().st_uid == NOBODY:
            return home
    home = Path(tempfile.mkdtemp(prefix="tollgate-postgres-", dir=_open_temporary_folder()))
    try:
        for source in postgres_installation(postgres_folder()):
            shutil.copytree(source, home / source.name)
        for path in [home, *home.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        note.write_text(f"{home}\n")
    except BaseException:
        shutil.rmtree(home)
        raise
    return home


def programs_in(home: Path) -> Path:
    """The folder of PostgreSQL's programs within nobody's home."""
    programs = postgres_folder()
    return home / programs.relative_to(programs.parent.parent.parent)


def _open_temporary_folder() -> str:
    for candidate in (tempfile.gettempdir(), *TEMPORARY_FOLDERS):
        path = Path(candidate)
        if path.is_dir() and all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.parents)):
            return candidate
    raise NotADirectoryError(f"no temporary folder that nobody may enter: {', '.join(TEMPORARY_FOLDERS)}")


@functools.cache
def _namespace_works(folder: Path) -> bool:
    initdb = postgres_folder() / "initdb"
    try:
        probe = Guarded(
            ["/bin/sh", "-c", 'test -w "$1" && exec "$2" --version', "sh", str(folder), str(initdb)],
            environment=ENVIRONMENT,
            output=subprocess.DEVNULL,
            identity="namespace",
        )
    except CommandNotStartedError:
        return False  # the kernel or the container forbids it
    try:
        return probe.wait(PROBE_S) == 0
    finally:
        probe.stop()
