"""The entry points of refunds."""

from tasks.contracts.refunds import CreateRefund
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import refunds


@job(CreateRefund, settle=refunds.settle_create)
def create(attempt: Attempt, request: CreateRefund) -> Outcome:
    """Give back a payment, or a part of it."""
    return refunds.create(attempt, request)
