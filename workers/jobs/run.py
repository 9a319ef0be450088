"""Running jobs: claim, do, write the outcome, show it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.orm import Session

from config.errors import DatabaseAwayError, FenceLostError, SealBrokenError, TollgateError
from config.logs import bind
from models.encrypted import decrypt_bytes
from tasks.contracts.job import Contract
from tasks.contracts.steps import Step
from workers.jobs.attempt import Attempt
from workers.jobs.claim import claim, states
from workers.jobs.ending import over
from workers.jobs.failure import describe, outcome_of
from workers.jobs.outcome import Outcome, finish
from workers.jobs.row import JobRow
from workers.projections.projector import project
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.jobs")
C = TypeVar("C", bound=Contract)


@dataclass(frozen=True, slots=True)
class Service(Generic[C]):
    """What a kind of job does.

    Args:
        perform: does the work; returns how it ended, or raises.
        settle: writes what any other end than `done` means for the job's subject, in the outcome's transaction.
    """

    contract: type[C]
    perform: Callable[[Attempt, C], Outcome]
    settle: Callable[[Session, Runtime, JobRow, C, Outcome], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a job, as Celery and Flower are told. `state` is `running` while another attempt has it."""

    job_id: str
    state: str
    reason: str


def run_job(runtime: Runtime, job_id: str, service: Service[C]) -> Result:
    """Run one job if it is due, and tell what became of it.

    Raises:
        DatabaseAwayError: if PostgreSQL went away; the lease's end will make the job due again.
    """
    read_before_claim = time.monotonic()
    lease = runtime.settings.jobs.lease
    with runtime.transaction(Step.CLAIM) as session:
        jobs = claim(session, [job_id], kind=service.contract.KIND.name, worker=runtime.name, lease=lease)
        if not jobs:
            state, paused = states(session, [job_id]).get(job_id, ("unknown", False))
            return Result(job_id, state, f"nothing to do: the job is {state}{', its queue is paused' * paused}")
    attempt = Attempt(runtime, jobs[0], read_before_claim + lease)
    with bind(job_id=job_id, request_id=jobs[0].request_id):
        return _attempt(attempt, service)


def _attempt(attempt: Attempt, service: Service[C]) -> Result:
    runtime, job = attempt.runtime, attempt.job
    contract: C | None = None
    try:
        contract = open_payload(runtime, job, service.contract)
        outcome = over(runtime, job) or service.perform(attempt, contract)
    except (FenceLostError, DatabaseAwayError) as error:
        LOG.warning("attempt %d ends without an outcome: %s", job.fence, error)
        return Result(job.id, "running", str(error))
    except TollgateError as error:
        # A payload that can't be opened must not be tried for ever either.
        outcome = over(runtime, job) or _failed(attempt, error)
        LOG.warning("attempt %d: %s", job.fence, error, extra={"error": describe(error)})
    except Exception as error:
        outcome = over(runtime, job) or _failed(attempt, error)
        LOG.exception("attempt %d failed unexpectedly", job.fence)
    return _conclude(attempt, service, contract, outcome)


def _failed(attempt: Attempt, error: Exception) -> Outcome:
    runtime = attempt.runtime
    effects = {"intended": attempt.intended, "had_effect": attempt.had_effect}
    return outcome_of(error, attempt.job, runtime.settings.jobs, runtime.random, **effects)


def _conclude(attempt: Attempt, service: Service[C], contract: C | None, outcome: Outcome) -> Result:
    runtime, job = attempt.runtime, attempt.job
    try:
        _write(runtime, job, service, contract, outcome)
    except (FenceLostError, DatabaseAwayError) as error:
        LOG.warning("the outcome of attempt %d was not written: %s", job.fence, error)
        return Result(job.id, "running", str(error))
    except Exception as error:
        LOG.exception("the outcome of attempt %d can't be written", job.fence)
        outcome = _failed(attempt, error)
        _write(runtime, job, service, None, outcome)
    LOG.info("job is %s after attempt %d", outcome.state, job.fence, extra={"kind": job.kind, "state": outcome.state})
    shown = [job.id] if service.contract.KIND.shown else []
    project(runtime, [*shown, job.subject_id, *outcome.touched])
    return Result(job.id, outcome.state, outcome.reason)


def _write(runtime: Runtime, job: JobRow, service: Service[C], contract: C | None, outcome: Outcome) -> None:
    with runtime.transaction(Step.OUTCOME) as session:
        finish(session, job, outcome)
        if outcome.state != "done" and contract is not None:
            service.settle(session, runtime, job, contract, outcome)


def open_payload(runtime: Runtime, job: JobRow, contract: type[C]) -> C:
    """Return the job's contract.

    Raises:
        ContractError: if the payload does not fit.
        SealBrokenError: if it was changed or moved in the database.
    """
    if not job.payload:
        raise SealBrokenError(f"job {job.id} has no payload")
    plaintext = decrypt_bytes(runtime.settings.encryption_keys, "jobs", "payload", job.id, job.payload)
    return contract.from_bytes(plaintext)
