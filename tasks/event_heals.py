"""The entry point of the look for lost webhooks."""

from tasks.contracts.events import HealEvents
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import heals


@job(HealEvents, settle=heals.settle)
def heal(attempt: Attempt, request: HealEvents) -> Outcome:
    """Bring in the events whose webhooks were lost."""
    return heals.heal(attempt, request)
