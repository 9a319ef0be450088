"""Lanes: one website's trouble takes a part of a process at most, and soon none of it."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from config.errors import WebsitePausedError
from config.retries import LANE_BUSY, LANE_FAILURES, LANE_PAUSE
from workers.resilience.lanes import Lanes

WIDTH = 3


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lanes(clock: Clock) -> Lanes:
    return Lanes(WIDTH, clock=clock)


def fail(lanes: Lanes, name: str = "bad") -> None:
    with pytest.raises(ZeroDivisionError), lanes.calling(name):
        raise ZeroDivisionError


def paused(lanes: Lanes, name: str = "bad") -> float | None:
    """Return for how long a lane says to wait, None if a call may pass."""
    try:
        with lanes.calling(name):
            return None
    except WebsitePausedError as error:
        return error.retry_after


def shut(lanes: Lanes) -> None:
    for _ in range(LANE_FAILURES):
        fail(lanes)


def test_calls_beyond_the_width_wait_and_other_endpoints_do_not(lanes: Lanes) -> None:
    with ExitStack() as stack:
        for _ in range(WIDTH):
            stack.enter_context(lanes.calling("slow"))
        assert paused(lanes, "slow") == LANE_BUSY
        assert paused(lanes, "other") is None
    assert paused(lanes, "slow") is None


def test_a_lane_is_shut_after_failures_in_a_row_and_no_other_is(lanes: Lanes) -> None:
    for _ in range(LANE_FAILURES - 1):
        fail(lanes)
    assert paused(lanes) is None  # this call went well, and all is forgotten
    shut(lanes)
    assert paused(lanes) == LANE_PAUSE
    assert paused(lanes, "other") is None


def test_after_the_pause_one_call_at_a_time_tries(lanes: Lanes, clock: Clock) -> None:
    shut(lanes)
    clock.now += LANE_PAUSE
    with lanes.calling("bad"):
        assert paused(lanes) == LANE_BUSY
    assert paused(lanes) is None
    with ExitStack() as stack:
        for _ in range(WIDTH):
            stack.enter_context(lanes.calling("bad"))


def test_a_call_that_fails_after_the_pause_begins_another(lanes: Lanes, clock: Clock) -> None:
    shut(lanes)
    clock.now += LANE_PAUSE
    fail(lanes)
    assert paused(lanes) == LANE_PAUSE


def test_being_turned_away_is_no_failure(lanes: Lanes, clock: Clock) -> None:
    shut(lanes)
    for _ in range(10):
        assert paused(lanes) is not None
    clock.now += LANE_PAUSE
    assert paused(lanes) is None


def test_endpoints_that_are_well_are_not_remembered(lanes: Lanes) -> None:
    for number in range(100):
        assert paused(lanes, f"end_{number}") is None
    assert not lanes._lanes
