"""Entry points: what Celery calls when a hint arrives. One decorator, so that each is three lines.

A hint carries job ids and nothing else. It is acknowledged on arrival; losing or repeating one is harmless.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from celery import shared_task
from celery.exceptions import Ignore, Retry
from sqlalchemy.orm import Session

from config.errors import JobDeadError, JobRefusedError, JobWaitsError, StoppingError
from tasks.contracts.job import Contract
from tasks.process import current_admission, current_runtime
from tasks.strays import job_ids_in
from workers.jobs.attempt import Attempt
from workers.jobs.batch import BatchService, run_batch
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.jobs.run import Result, Service, run_job
from workers.runtime import Runtime

C = TypeVar("C", bound=Contract)
T = TypeVar("T")
WILL_RUN_AGAIN = frozenset({"ready", "waiting", "checking"})


def job(
    contract: type[C], *, settle: Callable[[Session, Runtime, JobRow, C, Outcome], None]
) -> Callable[[Callable[[Attempt, C], Outcome]], Any]:
    """Make a function the entry point of a kind of job that runs one at a time.

    Args:
        contract: the kind's contract; its name becomes the Celery task's.
        settle: writes what any other end than `done` means for the job's subject.
    """

    def register(perform: Callable[[Attempt, C], Outcome]) -> Any:
        service = Service(contract, perform, settle)

        def run(job_ids: Sequence[str]) -> str:
            return tell([_admitted(partial(run_job, current_runtime(), job_id, service)) for job_id in job_ids])

        return _task(contract, run)

    return register


def batch_job(
    contract: type[C],
) -> Callable[[Callable[[Session, Runtime, Sequence[tuple[JobRow, C]]], list[Outcome]]], Any]:
    """Make a function the entry point of a kind of database-only job that runs many at a time."""

    def register(perform: Callable[[Session, Runtime, Sequence[tuple[JobRow, C]]], list[Outcome]]) -> Any:
        service = BatchService(contract, perform)

        def run(job_ids: Sequence[str]) -> str:
            return tell(_admitted(partial(run_batch, current_runtime(), job_ids, service)))

        return _task(contract, run)

    return register


def _admitted(work: Callable[[], T]) -> T:
    try:
        return current_admission().run(work)
    except StoppingError:
        raise Ignore from None  # another worker takes the job: its hint is given back, or sent again


def _task(contract: type[Contract], run: Callable[[Sequence[str]], str]) -> Any:
    def run_hint(*arguments: Any, **keywords: Any) -> str:
        job_ids = job_ids_in(arguments, keywords)
        return "no hint" if job_ids is None else run(job_ids)

    return shared_task(
        name=contract.KIND.name,
        ignore_result=True,
        max_retries=None,
        throws=(JobDeadError, JobRefusedError),
        typing=False,  # whatever comes is looked at by `job_ids_in`
    )(run_hint)


def tell(results: Sequence[Result]) -> str:
    """Tell Celery, and so Flower, the truth about what became of the jobs.

    Raises:
        Retry: shown as RETRY with its reason; nothing is published, the dispatcher does that when the time comes.
        JobDeadError, JobRefusedError: shown as FAILURE with its reason.
        Ignore: another attempt has the job and will tell.
    """
    if len(results) != 1:
        states = [result.state for result in results]
        return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))) or "nothing to do"
    [result] = results
    if result.state in WILL_RUN_AGAIN:
        reason = f"{result.state}: {result.reason}"
        raise Retry(message=reason, exc=JobWaitsError(reason))
    if result.state == "dead":
        raise JobDeadError(f"{result.job_id}: {result.reason}")
    if result.state == "refused":
        raise JobRefusedError(f"{result.job_id}: {result.reason}")
    if result.state == "running":
        raise Ignore
    return f"{result.job_id}: {result.state}"
