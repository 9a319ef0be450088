"""The entry points of payments."""

from tasks.contracts.payments import CreatePayment, RefreshPayment
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import payments, refreshes


@job(CreatePayment, settle=payments.settle_create)
def create(attempt: Attempt, request: CreatePayment) -> Outcome:
    """Make a payment's PaymentIntent."""
    return payments.create(attempt, request)


@job(RefreshPayment, settle=refreshes.settle_refresh)
def refresh(attempt: Attempt, request: RefreshPayment) -> Outcome:
    """Fetch a payment that is in doubt."""
    return refreshes.refresh(attempt, request)
