"""The operator's command, run as an operator would run it."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from sandbox.system import System

COMMAND_SECONDS: Final = 60


def run_tollgate(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `tollgate` with a worker's environment, and return what it printed, whatever its exit code.

    Raises:
        OSError, subprocess.SubprocessError: it could not be run, or took too long.
    """
    return subprocess.run(
        [str(Path(sys.executable).with_name("tollgate")), *arguments],
        env=dict(system.environments["worker"]),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
