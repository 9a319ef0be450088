"""The entry point of the daily reconciliation."""

from tasks.contracts.reconciliation import Reconcile
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services.reconciliation import runs


@job(Reconcile, settle=runs.settle)
def run(attempt: Attempt, request: Reconcile) -> Outcome:
    """Reconcile the next piece of time."""
    return runs.run(attempt, request)
