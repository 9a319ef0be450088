"""The entry point of the checks of invariants."""

from tasks.contracts.invariants import CheckInvariants
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import invariants


@job(CheckInvariants, settle=invariants.settle)
def check(attempt: Attempt, request: CheckInvariants) -> Outcome:
    """Check whether all is as it must be."""
    return invariants.check(attempt, request)
