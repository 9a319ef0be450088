"""When the Makefile's installation does its work again, and what it says when it can't."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from sandbox import installation


class Machine:
    """Takes the commands that would be run, and makes the Python that `venv` would make."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.failing = ""

    def run(self, command: list[str], trouble: str) -> None:
        self.commands.append(command)
        if self.failing and self.failing in command:
            raise installation.InstallationError(trouble)
        if "venv" in command:
            python = Path(".venv/bin/python")
            python.parent.mkdir(parents=True, exist_ok=True)
            python.touch(mode=0o755)

    @property
    def steps(self) -> list[str]:
        """The commands of the last run, by a word of each."""
        words = {"venv": "venv", "--require-hashes": "lock", "--editable": "checkout"}
        steps = [next(step for word, step in words.items() if word in command) for command in self.commands]
        self.commands.clear()
        return steps


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    for path in (installation.LOCK, *installation.METADATA):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("package==1 --hash=sha256:00\n")
    monkeypatch.chdir(tmp_path)
    machine = Machine()
    monkeypatch.setattr(installation, "_run", machine.run)
    return machine


def test_the_second_run_does_nothing(machine: Machine) -> None:
    assert installation.main() == 0
    assert machine.steps == ["venv", "lock", "checkout"]
    assert installation.main() == 0
    assert machine.steps == []


@pytest.mark.parametrize("path", [installation.LOCK, *installation.METADATA], ids=str)
def test_a_changed_lock_or_metadata_is_installed_over_the_old(machine: Machine, path: Path) -> None:
    installation.main()
    machine.commands.clear()
    path.write_text("package==2 --hash=sha256:01\n")
    installation.main()
    assert machine.steps == ["lock", "checkout"]


def test_another_python_gets_a_new_environment(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    installation.main()
    machine.commands.clear()
    monkeypatch.setattr(sys, "version", "3.99.0 (another)")
    installation.main()
    assert machine.steps == ["venv", "lock", "checkout"]


def test_an_environment_that_was_moved_is_made_anew(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation.main()
    machine.commands.clear()
    elsewhere = tmp_path.with_name("elsewhere")
    tmp_path.rename(elsewhere)
    monkeypatch.chdir(elsewhere)
    installation.main()
    assert machine.steps == ["venv", "lock", "checkout"]


@pytest.mark.parametrize("failing", ["venv", "--require-hashes", "--editable"])
def test_an_unfinished_installation_is_done_again_from_the_start(
    machine: Machine, failing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.failing = failing
    assert installation.main() == 1
    assert capsys.readouterr().err.startswith("make: ")
    machine.failing = ""
    machine.commands.clear()
    assert installation.main() == 0
    assert machine.steps == ["venv", "lock", "checkout"]


def test_a_failing_pip_is_one_clear_line(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.failing = "--require-hashes"
    installation.main()
    assert capsys.readouterr().err == (
        "make: pip could not install requirements/development.txt; is a package index reachable, "
        "and is there space on the disk?\n"
    )


def test_an_old_python_is_named(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(installation, "OLDEST_PYTHON", (99, 0))
    assert installation.main() == 1
    assert capsys.readouterr().err.startswith("make: Tollgate needs Python 3.11 or newer")
    assert machine.commands == []


def test_a_python_without_ensurepip_is_told_which_package_to_install(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    assert installation.main() == 1
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert capsys.readouterr().err.endswith(f"on Debian and Ubuntu: apt install python{version}-venv\n")
