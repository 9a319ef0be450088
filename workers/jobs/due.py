"""When a job's time has come: one condition for whoever publishes and whoever claims."""

from models.base import one_of
from models.job import DUE_STATES
from tasks.contracts.kinds import CONTRACTS

_PAUSED = "SELECT queues.name FROM queues WHERE queues.paused_at IS NOT NULL"
# The queue of a job's kind, which is its own even while it runs in quarantine.
_HOME = "CASE jobs.kind {} END".format(
    " ".join(f"WHEN '{name}' THEN '{contract.KIND.queue}'" for name, contract in sorted(CONTRACTS.items()))
)
# A paused queue holds everything back but what is to be cancelled: its end needs no more than its own row. It holds
# its jobs in quarantine back as well: who pauses `payments` means every payment.
RUNNABLE = (
    f"(jobs.cancel_asked_at IS NOT NULL OR jobs.queue NOT IN ({_PAUSED})"
    f" AND (NOT jobs.quarantined OR COALESCE({_HOME} NOT IN ({_PAUSED}), TRUE)))"
)
_WAITS = one_of("state", DUE_STATES)
# Not over and not running, whenever it is due; in the words of the partial indexes of jobs, so that they are used.
WAITS = f"(({_WAITS} AND published_at IS NULL) OR ({_WAITS} AND published_at IS NOT NULL))"
DUE = f"({_WAITS} AND next_run_at <= clock_timestamp() AND {RUNNABLE})"
