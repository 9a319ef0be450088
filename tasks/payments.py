"""The entry points of payments."""

from tasks.contracts.payments import CreatePayment, RefreshPayment, ReviewPayment
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import payments, refreshes, reviews


@job(CreatePayment, settle=payments.settle_create)
def create(attempt: Attempt, request: CreatePayment) -> Outcome:
    """Make a payment's PaymentIntent."""
    return payments.create(attempt, request)


@job(RefreshPayment, settle=refreshes.settle_refresh)
def refresh(attempt: Attempt, request: RefreshPayment) -> Outcome:
    """Fetch a payment that is in doubt."""
    return refreshes.refresh(attempt, request)


@job(ReviewPayment, settle=reviews.settle)
def review(attempt: Attempt, request: ReviewPayment) -> Outcome:
    """See whether a payment's money came late, and whether its booking has others."""
    return reviews.review(attempt, request)
