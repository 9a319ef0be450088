"""The option --require-servers: what should have run and was skipped is a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MARKED = "import pytest\n@pytest.mark.{mark}\ndef test_it():\n    pytest.skip('no server here')\n"
WHOLE_MODULE = "import pytest\npytest.skip('no server here', allow_module_level=True)\n"
NEVER_REQUIRED = "import pytest\ndef test_it():\n    pytest.skip('another platform')\n"
EXPECTED_TO_FAIL = "import pytest\n@pytest.mark.servers\n@pytest.mark.xfail\ndef test_it():\n    assert False\n"
PASSED, FAILED, INTERRUPTED = 0, 1, 2  # pytest.ExitCode


def run(source: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    file = folder / "test_sample.py"
    file.write_text(source)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "setup.cfg"), f"--rootdir={ROOT}"]
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *plugins, *options, str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("mark", ["servers", "owns_servers"])
def test_a_skipped_servers_test_fails_with_its_reason(tmp_path: Path, mark: str) -> None:
    assert run(MARKED.format(mark=mark), tmp_path).returncode == PASSED
    required = run(MARKED.format(mark=mark), tmp_path, "--require-servers")
    assert required.returncode == FAILED
    assert "this must run, but was skipped: Skipped: no server here" in required.stdout


def test_a_module_that_skips_itself_fails(tmp_path: Path) -> None:
    required = run(WHOLE_MODULE, tmp_path, "--require-servers")
    assert required.returncode == INTERRUPTED
    assert "this must run, but was skipped: Skipped: no server here" in required.stdout


@pytest.mark.parametrize("source", [NEVER_REQUIRED, EXPECTED_TO_FAIL], ids=["unmarked", "xfail"])
def test_other_skips_and_expected_failures_stay_what_they_are(tmp_path: Path, source: str) -> None:
    assert run(source, tmp_path, "--require-servers").returncode == PASSED
