"""The entry points of disputes."""

from tasks.contracts.disputes import AcceptDispute, SubmitDispute, WatchDisputes
from tasks.job import job
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.services import dispute_operations, dispute_watch


@job(SubmitDispute, settle=dispute_operations.settle_operation)
def submit(attempt: Attempt, request: SubmitDispute) -> Outcome:
    """Send evidence to the bank."""
    return dispute_operations.operate(attempt, request)


@job(AcceptDispute, settle=dispute_operations.settle_operation)
def accept(attempt: Attempt, request: AcceptDispute) -> Outcome:
    """Give a dispute in."""
    return dispute_operations.operate(attempt, request)


@job(WatchDisputes, settle=dispute_watch.settle_watch)
def watch(attempt: Attempt, request: WatchDisputes) -> Outcome:
    """See which disputes are to be answered soon."""
    return dispute_watch.watch(attempt, request)
