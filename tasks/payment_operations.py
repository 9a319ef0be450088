"""The entry points of payment operations."""

from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import payment_operations


@job(CapturePayment, settle=payment_operations.settle_operation)
def capture(attempt: Attempt, request: CapturePayment) -> Outcome:
    """Capture what is held for a payment."""
    return payment_operations.capture(attempt, request)


@job(CancelPayment, settle=payment_operations.settle_operation)
def cancel(attempt: Attempt, request: CancelPayment) -> Outcome:
    """Give a payment up."""
    return payment_operations.cancel(attempt, request)


@job(UpdatePayment, settle=payment_operations.settle_operation)
def update(attempt: Attempt, request: UpdatePayment) -> Outcome:
    """Change a payment before it is confirmed."""
    return payment_operations.update(attempt, request)
