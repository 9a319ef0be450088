"""What operators do, each act in one transaction of its own."""

from __future__ import annotations

from config.queues import PAYMENTS
from tasks.contracts.steps import Step
from workers.jobs.cancel import cancel as cancel_jobs
from workers.jobs.dead import replay as replay_jobs
from workers.jobs.operator import Operator
from workers.jobs.pause import pause, resume
from workers.runtime import Runtime

OPERATOR = Operator("model", "to see what happens")
ACT = Step.PUBLISH  # any step: an operator's command has none


def toggle_pause(runtime: Runtime) -> None:
    """Pause the queue of payments, or let it go on."""
    with runtime.transaction(ACT) as session:
        if not pause(session, PAYMENTS, OPERATOR):
            resume(session, PAYMENTS, OPERATOR)


def let_go_on(runtime: Runtime) -> None:
    """Let the queue of payments go on."""
    with runtime.transaction(ACT) as session:
        resume(session, PAYMENTS, OPERATOR)


def cancel(runtime: Runtime, job_id: str) -> None:
    """Ask for the end of a job."""
    with runtime.transaction(ACT) as session:
        cancel_jobs(session, [job_id], OPERATOR)


def replay(runtime: Runtime, job_id: str) -> None:
    """Replay a dead letter."""
    with runtime.transaction(ACT) as session:
        replay_jobs(session, [job_id], OPERATOR)
