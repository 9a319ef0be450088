"""Reading the Procfile."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.procfile import ProcfileError, read_procfile


def test_each_line_becomes_a_shell_command_in_the_files_order(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("# what runs\nrelease: migrate\n\nweb: serve --port ${PORT:-8000}\nworker-webhooks:   work\n")
    assert read_procfile(file) == {
        "release": ["/bin/sh", "-c", "exec migrate"],
        "web": ["/bin/sh", "-c", "exec serve --port ${PORT:-8000}"],
        "worker-webhooks": ["/bin/sh", "-c", "exec work"],
    }


@pytest.mark.parametrize("line", ["web", "web:", "web:   ", ": serve", "the web: serve"])
def test_a_line_that_is_no_process_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "Procfile"
    file.write_text(f"# first\n{line}\n")
    with pytest.raises(ProcfileError, match="line 2: expected `name: command`"):
        read_procfile(file)


def test_a_name_may_be_there_once_only(tmp_path: Path) -> None:
    file = tmp_path / "Procfile"
    file.write_text("web: one\nweb: two\n")
    with pytest.raises(ProcfileError, match="line 2: the name 'web' is there twice"):
        read_procfile(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProcfileError, match="Procfile: No such file"):
        read_procfile(tmp_path / "Procfile")
