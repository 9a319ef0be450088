"""The entry points of the ledger."""

from tasks.contracts.ledger import PostFee
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import fees


@job(PostFee, settle=fees.settle_fee)
def fee(attempt: Attempt, request: PostFee) -> Outcome:
    """Post what Stripe keeps of a charge or refund."""
    return fees.collect(attempt, request)
