"""Entry points tell Celery, and so Flower, the truth, and publish nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from celery import Celery
from celery.exceptions import Ignore, Retry

from config.errors import JobDeadError, JobRefusedError, TollgateError
from config.queues import QUEUES
from models.base import one_of
from models.job import DUE_STATES, JOB_MOVES
from tasks import (
    disputes,
    event_heals,
    evidence,
    invariants,
    invoice_batches,
    invoices,
    ledger,
    notifications,
    payment_operations,
    payments,
    reconciliation,
    refunds,
    shows,
    stripe_events,
)
from tasks.contracts.kinds import CONTRACTS
from tasks.job import WILL_RUN_AGAIN, tell
from tasks.process import bind_process, current_runtime
from workers.jobs.outcome import FINAL_STATES
from workers.jobs.run import Result


@pytest.fixture
def no_runtime() -> Iterator[None]:
    bind_process(None, None, None)
    yield
    bind_process(None, None, None)


def result(state: str) -> Result:
    return Result("job_1", state, "the reason")


@pytest.mark.parametrize("state", ["ready", "waiting", "checking"])
def test_a_job_that_will_run_again_is_shown_as_a_retry_with_its_reason(state: str) -> None:
    with pytest.raises(Retry) as raised:
        tell([result(state)])
    assert "the reason" in str(raised.value)
    assert state in str(raised.value)


@pytest.mark.parametrize(("state", "error"), [("dead", JobDeadError), ("refused", JobRefusedError)])
def test_a_job_that_ended_badly_is_shown_as_a_failure(state: str, error: type[Exception]) -> None:
    with pytest.raises(error, match="the reason"):
        tell([result(state)])


@pytest.mark.parametrize("state", ["done", "cancelled", "unknown"])
def test_a_job_that_is_over_is_told_again(state: str) -> None:
    assert tell([result(state)]) == f"job_1: {state}"


def test_a_job_that_another_attempt_has_is_left_to_it() -> None:
    with pytest.raises(Ignore):
        tell([result("running")])


def test_every_state_of_a_job_is_told() -> None:
    for state in JOB_MOVES.states:
        try:
            told = tell([result(state)])
        except (Retry, JobDeadError, JobRefusedError, Ignore):
            continue
        assert state in told


def test_a_batch_is_told_in_numbers() -> None:
    assert tell([result("done"), result("done"), result("waiting")]) == "2 done, 1 waiting"
    assert tell([]) == "nothing to do"


def test_a_task_outside_of_a_worker_says_how_to_start_one(no_runtime: None) -> None:
    with pytest.raises(TollgateError, match="celery -A celery_app worker"):
        current_runtime()


def test_every_kind_has_an_entry_point_of_its_name_and_a_queue_that_is_served() -> None:
    loaded = (
        *(
            disputes,
            event_heals,
            evidence,
            invariants,
            invoice_batches,
            invoices,
            ledger,
            notifications,
            payment_operations,
        ),
        *(payments, reconciliation, refunds, shows, stripe_events),
    )
    assert all(loaded)  # for their tasks
    app = Celery("test", set_as_current=False)
    app.finalize()
    for name, contract in CONTRACTS.items():
        assert app.tasks[name].name == name
        assert contract.KIND.queue in QUEUES


def test_states_that_are_due_run_again_and_final_ones_never() -> None:
    assert set(DUE_STATES) == WILL_RUN_AGAIN
    assert JOB_MOVES.final <= FINAL_STATES
    assert FINAL_STATES - JOB_MOVES.final == {"dead"}
    assert set(DUE_STATES) == {state for state in JOB_MOVES.states if JOB_MOVES.allow(state, "running")} - {"running"}
    assert one_of("state", ("a", "b")) == "state IN ('a', 'b')"
