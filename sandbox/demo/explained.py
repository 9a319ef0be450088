"""One payment explained, by the command that an operator would use."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.demo.fates import LATE_REFUNDED, DemoError, Progress
from sandbox.system import System

EXPLAIN_SECONDS = 20


def explained(system: System, all_progress: Sequence[Progress]) -> str:
    """Return what `tollgate explain` prints of the payment that came late and was given back.

    Raises:
        DemoError: if it knows nothing of it.
    """
    [payment_id] = [progress.payment_id for progress in all_progress if progress.fate == LATE_REFUNDED]
    if payment_id is None:
        return "it was never accepted"
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("tollgate")), "explain", payment_id],
        env={**os.environ, "TOLLGATE_DATABASE_URL": system.addresses.database_url},
        capture_output=True,
        text=True,
        check=False,
        timeout=EXPLAIN_SECONDS,
    )
    if ran.returncode != 0:
        raise DemoError(f"tollgate explain failed: {ran.stderr.strip()}")
    return ran.stdout
