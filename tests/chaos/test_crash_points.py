"""Crash points: whoever takes a step dies, fails or freezes right before it or right after it, and the job is done all
the same: within the crash table's seconds, with one PaymentIntent and one customer at Stripe.

Every step of the table, on every way to it, is tried with every action. The actor is a real process that runs the
shipped code; a dispatcher and a worker take over from it. One that froze is woken when all is over, and must not change
a thing.
"""

from __future__ import annotations

import signal
from typing import get_args

import pytest

from config.failpoints import EXIT_CODE, Action
from config.resolver import next_look
from models.database import IDLE_IN_TRANSACTION_SECONDS
from tasks.contracts.repairs import BROUGHT_BACK, WAITING_SECONDS, Repair
from tasks.contracts.steps import Step
from tests.builders.actors import Actor
from tests.chaos.case import Case, Scene
from tests.chaos.oracle import doubled
from tests.chaos.scenes import SCENES
from tests.chaos.stage import Stage

pytestmark = pytest.mark.servers
SIDES = ("before", "after")
ACTIONS = get_args(Action)
ENDS = {"raise": 0, "exit": EXIT_CODE, "kill": -signal.SIGKILL}
CLIENTS_PATIENCE_S = 10.0  # by when a payment is done whose client has repeated its key
AFTERWARDS_S = 2 * WAITING_SECONDS  # what one that woke late has left to be done or shown again is done by then
LOOKS = 4  # how often others work until the table's time is up: also while one that froze still holds its locks
CASES = [
    pytest.param(scene, step, side, action, id=f"{scene.name.replace(' ', '_')}-{step.value.name}.{side}-{action}")
    for scene in SCENES
    for step in scene.steps
    for side in SIDES
    for action in ACTIONS
]


@pytest.mark.parametrize(("scene", "step", "side", "action"), CASES)
def test_what_dies_at_a_step_is_taken_over(stage: Stage, scene: Scene, step: Step, side: str, action: Action) -> None:
    case = scene.arrange(stage)
    point = getattr(step, side)
    actor = stage.actors.start(case.role, {**stage.plan, **case.plan}, f"{point}={action}", **case.arguments)
    try:
        actor.await_failpoint()
        if action != "hang":
            assert actor.await_end() == ENDS[action]
        _is_taken_over(stage, case, _seconds(stage, case, step, side, action))
        if action == "hang":
            _wakes_in_vain(stage, case, actor)
        assert doubled(stage, case.posted) == []
    finally:
        actor.kill()


def _seconds(stage: Stage, case: Case, step: Step, side: str, action: Action) -> float:
    row = step.value
    repair: Repair = row.mends_before if side == "before" else row.mends_after
    if action == "raise" and step is Step.INTAKE:
        repair = BROUGHT_BACK  # the entry looks like one that PostgreSQL refuses
    within = CLIENTS_PATIENCE_S if repair.within is None else repair.within(stage.house.runtime.settings.jobs)
    if action == "raise" and case.role == "worker":
        # The attempt ends by itself, with an error: the job is tried again, or Stripe looked at, when that is due.
        return within + next_look(stage.time.seconds) + stage.house.runtime.settings.jobs.backoff_base
    # Who froze with a transaction open holds its locks, until PostgreSQL ends it; only then the clock starts.
    return within + IDLE_IN_TRANSACTION_SECONDS if action == "hang" and side == "before" else within


def _is_taken_over(stage: Stage, case: Case, within: float) -> None:
    stage.just_ran()
    until = stage.time.seconds + within
    while True:
        case.help()
        stage.take_over()
        wrong = case.wrong()
        if not wrong:
            return
        assert stage.time.seconds < until, f"not within {within:g} s: {wrong}"
        stage.time.advance(min(within / LOOKS, until - stage.time.seconds))


def _wakes_in_vain(stage: Stage, case: Case, actor: Actor) -> None:
    known = _facts(stage)
    actor.wake()
    stage.time.advance(AFTERWARDS_S)
    stage.take_over()
    assert _facts(stage) == known
    assert case.wrong() == []


def _facts(stage: Stage) -> list[object]:
    # What is not kept is deleted by whoever comes first, also by one who was frozen. A fee's job may be due only later.
    jobs = stage.house.sql(
        "SELECT id, state, fence, attempts, version, last_error FROM jobs"
        " WHERE kind NOT IN ('views.show', 'ledger.fee') ORDER BY id"
    )
    payments = stage.house.sql("SELECT id, status, stripe_id, dirty, version FROM payments ORDER BY id")
    return [jobs, payments]
