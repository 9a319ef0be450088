"""The entry point of notifications."""

from tasks.contracts.notifications import SendNotification
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import notifications


@job(SendNotification, settle=notifications.settle_send)
def send(attempt: Attempt, request: SendNotification) -> Outcome:
    """Send a notification to one endpoint."""
    return notifications.send(attempt, request)
