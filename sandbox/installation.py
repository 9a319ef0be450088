"""Installs the locked dependencies and this checkout into `.venv`, once for each lock and Python.

Run by the Makefile with the machine's own Python from the checkout's root, so it may import the standard library only.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

OLDEST_PYTHON = (3, 11)
VENV = Path(".venv")
LOCK = Path("requirements/development.txt")
METADATA = (
    Path("setup.cfg"),
    Path("pyproject.toml"),
    Path("config/version.py"),
)  # what the editable install is made of
STAMP = VENV / "installed-from"  # written last, so that its content proves a whole installation
STATE = Path("build/install")  # outlives a cleared .venv
SHOWN_LINES = 15  # of a failed command's output: pip says the reason last
UNFINISHED = STATE / "unfinished"
PIP = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--root-user-action=ignore")


class InstallationError(Exception):
    """The installation can't be done; the message says what to do."""


def main() -> int:
    """Install if need be; return the exit code."""
    try:
        _check_python()
        STATE.mkdir(parents=True, exist_ok=True)
        with (STATE / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # `make demo` and `make test` in two terminals of a fresh clone
            if not _is_installed():
                _install()
    except InstallationError as error:
        sys.stderr.write(f"make: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nmake: installation interrupted; the next run does it again\n")
        return 130  # as a shell reports SIGINT
    return 0


def _check_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise InstallationError(
            f"Tollgate needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}"
        )
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = ".".join(map(str, sys.version_info[:2]))
        raise InstallationError(
            f"{sys.executable} can't make virtual environments; on Debian and Ubuntu: apt install python{version}-venv"
        )


def _identity() -> str:
    """What the installation depends on besides the lock: this Python, and the place, for a venv can't be moved."""
    return f"{sys.version}\n{Path(sys.executable).resolve()}\n{Path.cwd()}\n"


def _is_installed() -> bool:
    return STAMP.exists() and STAMP.read_text() == _wanted() and not UNFINISHED.exists()


def _wanted() -> str:
    digest = hashlib.sha256()
    for path in (LOCK, *METADATA):
        digest.update(path.read_bytes())
    return f"{_identity()}{digest.hexdigest()}\n"


def _install() -> None:
    started = time.monotonic()
    fresh = _needs_new_venv()
    UNFINISHED.touch()
    STAMP.unlink(missing_ok=True)
    count = sum(not line.startswith((" ", "#")) for line in LOCK.read_text().splitlines())
    _say(f"Installing {count} locked packages into {VENV}/ (a minute or two the first time) ...")
    if fresh:
        _run([sys.executable, "-I", "-m", "venv", "--clear", str(VENV)], "the virtual environment could not be made")
    python = str(VENV / "bin" / "python")
    _run(
        [python, "-I", *PIP, "--progress-bar=off", "--require-hashes", "--requirement", str(LOCK)],
        f"pip could not install {LOCK}; is a package index reachable, and is there space on the disk?",
    )
    _run(
        [python, "-I", *PIP, "--no-deps", "--no-build-isolation", "--editable", "."],
        "pip could not install this checkout into .venv; is the checkout writable?",
    )
    STAMP.write_text(_wanted())
    UNFINISHED.unlink()
    _say(f"Installed in {time.monotonic() - started:.0f} s.")


def _needs_new_venv() -> bool:
    if UNFINISHED.exists() or not os.access(VENV / "bin" / "python", os.X_OK):
        return True
    return STAMP.exists() and not STAMP.read_text().startswith(_identity())


def _run(command: list[str], trouble: str) -> None:
    """Run a command; what it says is shown only when it fails, for pip warns about much that is no trouble."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        for line in done.stdout.splitlines()[-SHOWN_LINES:]:
            _say(f"  {line}")
        raise InstallationError(f"{trouble} (exit code {done.returncode}, see above)")


def _say(message: str) -> None:
    sys.stdout.write(f"{message}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
