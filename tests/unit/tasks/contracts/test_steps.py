"""The crash table."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from config.failpoints import Failpoint, arm
from tasks.contracts.steps import POINTS, Step, arm_failpoints

CALLS = 20_000
BEST_OF = 5
AFFORDABLE_NS = 3_000  # for one step; it costs a few hundred, and the cheapest effect, a round trip, some 50,000


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm([], [])


def test_each_step_has_a_name_of_its_own_and_two_points() -> None:
    names = [step.value.name for step in Step]
    assert len(set(names)) == len(names)
    assert len(POINTS) == 2 * len(names)


def test_a_step_reaches_the_points_before_and_after_its_effect() -> None:
    done: list[str] = []
    for point, expected in ((Step.CLAIM.before, []), (Step.CLAIM.after, ["effect"])):
        arm_failpoints([Failpoint(point, "raise")])
        done.clear()
        with pytest.raises(RuntimeError, match=point), Step.CLAIM:
            done.append("effect")
        assert done == expected


def test_a_step_that_failed_has_no_after() -> None:
    arm_failpoints([Failpoint(Step.CLAIM.after, "raise")])
    with pytest.raises(ZeroDivisionError), Step.CLAIM:
        raise ZeroDivisionError


def test_a_step_costs_nothing_while_nothing_is_armed() -> None:
    def measured() -> float:
        started = time.perf_counter_ns()
        for _ in range(CALLS):
            with Step.CLAIM:
                pass
        return (time.perf_counter_ns() - started) / CALLS

    assert min(measured() for _ in range(BEST_OF)) < AFFORDABLE_NS
