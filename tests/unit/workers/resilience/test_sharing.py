"""What a breaker makes of what other processes know. The exchange itself is tested over a real Redis."""

from __future__ import annotations

import pytest

from config.breaker import ALONE_AFTER, ASK_AGAIN, EXCHANGE_EVERY, LEASE, LEASE_MARGIN
from config.errors import BreakerOpenError, StripeUnavailableError
from tests.unit.workers.resilience.test_breaker import FAILURES, RESET, Clock, call, fail, trip
from workers.resilience.breaker import Breaker
from workers.resilience.knowledge import Shared


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("stripe", failures=FAILURES, reset=RESET, clock=clock)


def hear(breaker: Breaker, clock: Clock, **known: object) -> None:
    """Exchange: by default what the others know is what this process knows."""
    told = breaker.report()
    same = {"turn": told.turn, "state": told.state, "age": told.age, "others": 0, "present": 3, "granted": False}
    breaker.learn(told, Shared(**{**same, **known}), clock())  # type: ignore[arg-type]  # the fields are named above


def refused(breaker: Breaker) -> float:
    """Return how long a call is told to wait that is turned away."""
    with pytest.raises(BreakerOpenError) as turned_away, breaker.calling():
        pytest.fail("the call was made")
    assert turned_away.value.retry_after is not None
    return turned_away.value.retry_after


def test_failures_of_other_processes_count(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock, others=FAILURES - 2)
    fail(breaker)
    assert breaker.state == "closed"
    hear(breaker, clock, others=FAILURES - 2)
    fail(breaker)
    assert breaker.state == "open"


def test_failures_of_other_processes_do_not_count_once_they_are_not_heard_of(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock, others=FAILURES - 1)
    clock.now += ALONE_AFTER
    fail(breaker, FAILURES - 1)
    assert breaker.state == "closed"


@pytest.mark.parametrize(("present", "allowed"), [(1, 11), (2, 5), (3, 3), (5, 2), (11, 1), (50, 1)])
def test_it_pauses_after_a_few_failures_that_the_others_do_not_know_of(
    breaker: Breaker, clock: Clock, present: int, allowed: int
) -> None:
    hear(breaker, clock, present=present)
    fail(breaker, min(allowed, FAILURES))
    refused(breaker)
    if allowed < FAILURES:
        assert breaker.state == "closed"
        hear(breaker, clock, present=present)
        call(breaker)


def test_a_pause_ends_by_itself_when_the_others_fall_silent(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock)
    fail(breaker, 3)
    refused(breaker)
    breaker.go_alone()
    call(breaker)


def test_it_opens_and_closes_with_the_others(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock, turn=1, state="open", age=4.0)
    assert refused(breaker) == pytest.approx(RESET - 4.0)
    hear(breaker, clock, turn=2, state="closed", age=0.1)
    call(breaker)


def test_what_it_saw_itself_is_newer_than_what_the_others_knew_when_it_asked(breaker: Breaker, clock: Clock) -> None:
    told = breaker.report()
    trip(breaker)
    breaker.learn(told, Shared(told.turn, "closed", 0.0, 0, 3, granted=False), clock())
    assert breaker.state == "open"


def test_no_probe_begins_without_the_right_to_it(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    refused(breaker)
    clock.now += RESET
    hear(breaker, clock)
    assert refused(breaker) == 1.0
    assert breaker.report().wish == "probe"
    hear(breaker, clock, granted=True)
    assert breaker.report().wish == "hold"
    with breaker.calling():
        assert breaker.report().wish == "probe"
        refused(breaker)
    assert breaker.state == "closed"


def test_a_process_that_nobody_calls_does_not_ask_for_the_right(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock, turn=1, state="open")
    clock.now += RESET
    assert breaker.report().wish == "nothing"
    assert breaker.next_exchange() == EXCHANGE_EVERY


def test_a_right_that_is_not_used_runs_out_and_is_asked_for_anew_only_by_the_next_call(
    breaker: Breaker, clock: Clock
) -> None:
    trip(breaker)
    refused(breaker)
    clock.now += RESET
    hear(breaker, clock, granted=True)
    clock.now += LEASE - LEASE_MARGIN
    hear(breaker, clock)
    clock.now += LEASE_MARGIN
    assert breaker.report().wish == "nothing"
    refused(breaker)
    assert breaker.report().wish == "probe"


def test_the_exchange_comes_as_soon_as_a_probe_may_begin_and_then_often(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += RESET - 0.4
    refused(breaker)
    assert breaker.next_exchange() == pytest.approx(0.4)
    clock.now += 0.4
    assert breaker.next_exchange() == ASK_AGAIN


def test_a_failed_probe_opens_it_for_all_for_the_whole_time_again(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    refused(breaker)
    clock.now += RESET
    hear(breaker, clock, granted=True)
    turn = breaker.report().turn
    fail(breaker)
    assert (breaker.report().turn, breaker.report().state) == (turn + 1, "open")
    assert refused(breaker) == RESET


def test_a_probe_whose_right_ran_out_while_its_process_was_frozen_proves_nothing_by_failing(
    breaker: Breaker, clock: Clock
) -> None:
    trip(breaker)
    refused(breaker)
    clock.now += RESET
    hear(breaker, clock, granted=True)
    turn = breaker.report().turn
    frozen = breaker.calling()
    frozen.__enter__()
    clock.now += 60
    assert not frozen.__exit__(StripeUnavailableError, StripeUnavailableError(), None)
    assert breaker.report().turn == turn
    assert breaker.state == "half-open"


def test_alone_it_probes_without_a_right(breaker: Breaker, clock: Clock) -> None:
    hear(breaker, clock)
    breaker.go_alone()
    trip(breaker)
    clock.now += RESET
    call(breaker)
    assert breaker.state == "closed"
