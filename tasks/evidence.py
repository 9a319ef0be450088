"""The entry point of evidence."""

from tasks.contracts.evidence import KeepEvidence
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import evidence


@job(KeepEvidence, settle=evidence.settle_keep)
def keep(attempt: Attempt, request: KeepEvidence) -> Outcome:
    """Keep what shows that a payment was rightful."""
    return evidence.keep(attempt, request)
