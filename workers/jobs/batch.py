"""Running a batch of database-only jobs in one transaction; a bad one is found by bisection and put aside."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError, FenceLostError, TollgateError
from tasks.contracts.job import Contract
from tasks.contracts.steps import Step
from workers.jobs.claim import claim
from workers.jobs.ending import over
from workers.jobs.failure import outcome_of
from workers.jobs.outcome import Outcome, finish
from workers.jobs.row import JobRow
from workers.jobs.run import Result, open_payload
from workers.projections.projector import project
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.jobs")
C = TypeVar("C", bound=Contract)


@dataclass(frozen=True, slots=True)
class BatchService(Generic[C]):
    """What a kind of job does to many at once.

    Args:
        perform: does the work of all in one transaction; returns an outcome for each, in the same order.
    """

    contract: type[C]
    perform: Callable[[Session, Runtime, Sequence[tuple[JobRow, C]]], list[Outcome]]


def run_batch(runtime: Runtime, job_ids: Sequence[str], service: BatchService[C]) -> list[Result]:
    """Run those of the jobs that are due, and tell what became of each.

    Raises:
        DatabaseAwayError: if PostgreSQL went away; the leases' end will make the jobs due again.
    """
    with runtime.transaction(Step.CLAIM) as session:
        kind = service.contract.KIND.name
        jobs = claim(session, job_ids, kind=kind, worker=runtime.name, lease=runtime.settings.jobs.lease)
    return _settle(runtime, jobs, service) if jobs else []


def _settle(runtime: Runtime, jobs: Sequence[JobRow], service: BatchService[C]) -> list[Result]:
    try:
        outcomes = _together(runtime, jobs, service)
    except DatabaseAwayError:
        raise
    except Exception as error:  # noqa: BLE001 - one bad job must not stop the others: it is found by bisection
        if len(jobs) == 1:
            return [_put_aside(runtime, jobs[0], error)]
        half = len(jobs) // 2
        return _settle(runtime, jobs[:half], service) + _settle(runtime, jobs[half:], service)
    project(runtime, {touched for outcome in outcomes for touched in outcome.touched})
    return [Result(job.id, outcome.state, outcome.reason) for job, outcome in zip(jobs, outcomes, strict=True)]


def _together(runtime: Runtime, jobs: Sequence[JobRow], service: BatchService[C]) -> list[Outcome]:
    with runtime.transaction(Step.BATCH) as session:
        ends = {job.id: over(runtime, job) for job in jobs}
        alive = [(job, open_payload(runtime, job, service.contract)) for job in jobs if ends[job.id] is None]
        performed = iter(service.perform(session, runtime, alive) if alive else [])
        outcomes = [ends[job.id] or next(performed) for job in jobs]
        for job, outcome in zip(jobs, outcomes, strict=True):
            finish(session, job, outcome)
    return outcomes


def _put_aside(runtime: Runtime, job: JobRow, error: Exception) -> Result:
    if isinstance(error, FenceLostError):
        LOG.warning("%s", error)
        return Result(job.id, "running", str(error))
    if not isinstance(error, TollgateError):
        LOG.error("job failed unexpectedly", exc_info=error, extra={"job_id": job.id})
    outcome = outcome_of(error, job, runtime.settings.jobs, runtime.random)
    try:
        with runtime.transaction(Step.PUT_ASIDE) as session:
            finish(session, job, outcome)
    except FenceLostError as lost:
        LOG.warning("%s", lost)
    return Result(job.id, outcome.state, outcome.reason)
