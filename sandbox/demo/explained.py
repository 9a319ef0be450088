"""One payment explained, by the command that an operator would use."""

from collections.abc import Sequence

from sandbox.demo.command_line import run_tollgate
from sandbox.demo.fates import LATE_REFUNDED, DemoError, Progress
from sandbox.system import System


def explained(system: System, all_progress: Sequence[Progress]) -> str:
    """Return what `tollgate explain` prints of the payment that came late and was given back.

    Raises:
        DemoError: if it knows nothing of it.
    """
    [payment_id] = [progress.payment_id for progress in all_progress if progress.fate == LATE_REFUNDED]
    if payment_id is None:
        return "it was never accepted"
    ran = run_tollgate(system, "explain", payment_id)
    if ran.returncode != 0:
        raise DemoError(f"tollgate explain failed: {ran.stderr.strip()}")
    return ran.stdout
