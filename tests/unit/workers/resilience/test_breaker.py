from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from config.errors import (
    BreakerOpenError,
    StripeDeclinedError,
    StripeError,
    StripeInvalidError,
    StripeMisconfiguredError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)
from workers.resilience.breaker import Breaker

FAILURES = 10
RESET = 15.0


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker("stripe", failures=FAILURES, reset=RESET, clock=clock)


def call(breaker: Breaker, error: BaseException | None = None) -> None:
    """Make one call that ends as told."""
    if error is None:
        with breaker.calling():
            return
    with pytest.raises((type(error), BreakerOpenError)) as caught, breaker.calling():
        raise error
    if caught.value is not error:
        raise caught.value


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        call(breaker, StripeUnavailableError())


def trip(breaker: Breaker) -> None:
    fail(breaker, FAILURES)
    assert breaker.state == "open"


def test_it_opens_at_the_given_number_of_failures_and_not_before(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


@pytest.mark.parametrize("kind", [StripeUnavailableError, StripeOutcomeUnknownError])
def test_silence_and_unknown_outcomes_count(breaker: Breaker, kind: type[StripeError]) -> None:
    for _ in range(FAILURES):
        call(breaker, kind())
    assert breaker.state == "open"


ANSWERS = [StripeDeclinedError, StripeInvalidError, StripeMisconfiguredError, StripeRateLimitedError]


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_says_no_never_counts(breaker: Breaker, kind: type[StripeError]) -> None:
    for _ in range(5 * FAILURES):
        call(breaker, kind())
    assert breaker.state == "closed"


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_that_says_no_never_resets_the_count(breaker: Breaker, kind: type[StripeError]) -> None:
    fail(breaker, FAILURES - 1)
    for _ in range(5 * FAILURES):
        call(breaker, kind())
    fail(breaker)
    assert breaker.state == "open"


def test_one_success_does_not_reset_the_count(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    call(breaker)
    fail(breaker)
    assert breaker.state == "open"


@pytest.mark.parametrize("successes", range(11))
def test_mixed_traffic_opens_it_within_twenty_failures(breaker: Breaker, clock: Clock, successes: int) -> None:
    failures = 0
    while breaker.state == "closed":
        fail(breaker)
        failures += 1
        for _ in range(successes):
            for error in (None, StripeDeclinedError(), StripeInvalidError(), StripeRateLimitedError()):
                if breaker.state == "closed":
                    call(breaker, error)
            clock.now += 0.05
    assert FAILURES <= failures <= 2 * FAILURES


def test_a_service_that_fails_rarely_stays_in_use(breaker: Breaker, clock: Clock) -> None:
    for _ in range(200):
        fail(breaker)
        for _ in range(25):
            call(breaker)
        clock.now += 0.2
    assert breaker.state == "closed"


def test_failures_that_are_minutes_apart_do_not_add_up_if_calls_between_succeed(breaker: Breaker, clock: Clock) -> None:
    for _ in range(5 * FAILURES):
        fail(breaker)
        clock.now += 60
        call(breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("apart", [15, 600])
def test_failures_in_a_row_open_it_however_far_apart_they_are(breaker: Breaker, clock: Clock, apart: float) -> None:
    for number in range(FAILURES):
        assert breaker.state == "closed", number
        fail(breaker)
        clock.now += apart if number < FAILURES - 1 else 0
    assert breaker.state == "open"


def test_an_error_of_our_own_is_passed_on_and_not_counted(breaker: Breaker) -> None:
    for _ in range(2 * FAILURES):
        call(breaker, ZeroDivisionError())
    assert breaker.state == "closed"


def test_an_open_breaker_says_when_to_ask_again(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += 4
    with pytest.raises(BreakerOpenError, match="nothing was sent") as refused, breaker.calling():
        pytest.fail("the call was made")
    assert refused.value.retry_after == pytest.approx(RESET - 4)


def test_calls_turned_away_do_not_prolong_the_wait(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    for _ in range(14):
        clock.now += 1
        with pytest.raises(BreakerOpenError):
            call(breaker)
    clock.now += 1
    call(breaker)
    assert breaker.state == "closed"


def test_a_probe_that_succeeds_closes_it_with_a_clean_slate(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += RESET
    assert breaker.state == "half-open"
    call(breaker)
    assert breaker.state == "closed"
    fail(breaker, FAILURES - 1)
    assert breaker.state == "closed"


def test_a_probe_that_fails_opens_it_for_the_whole_time_again(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += RESET
    fail(breaker)
    assert breaker.state == "open"
    clock.now += RESET - 1
    with pytest.raises(BreakerOpenError):
        call(breaker)


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_probe_that_is_answered_no_closes_it(breaker: Breaker, clock: Clock, kind: type[StripeError]) -> None:
    trip(breaker)
    clock.now += RESET
    call(breaker, kind())
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", [ZeroDivisionError(), KeyboardInterrupt()])
def test_a_probe_that_ends_for_reasons_of_our_own_proves_nothing(
    breaker: Breaker, clock: Clock, error: BaseException
) -> None:
    trip(breaker)
    clock.now += RESET
    call(breaker, error)
    assert breaker.state == "half-open"
    call(breaker)
    assert breaker.state == "closed"


def test_only_one_probe_runs_at_a_time(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += RESET
    with breaker.calling():
        for _ in range(3):
            with pytest.raises(BreakerOpenError) as refused, breaker.calling():
                pytest.fail("a second probe ran")
            assert refused.value.retry_after == 1.0
    assert breaker.state == "closed"


def test_only_one_of_many_threads_gets_the_probe(breaker: Breaker, clock: Clock) -> None:
    trip(breaker)
    clock.now += RESET
    threads = 16
    together = threading.Barrier(threads)
    all_tried = threading.Barrier(threads)
    outcomes: list[str] = []

    def attempt() -> None:
        together.wait(10)
        try:
            with breaker.calling():
                outcomes.append("probe")
                all_tried.wait(10)
        except BreakerOpenError:
            outcomes.append("turned away")
            all_tried.wait(10)

    run(attempt, threads)
    assert sorted(outcomes) == ["probe"] + ["turned away"] * (threads - 1)
    assert breaker.state == "closed"


def test_calls_are_not_held_up_by_one_another(breaker: Breaker) -> None:
    inside = threading.Barrier(8)

    def attempt() -> None:
        with breaker.calling():
            inside.wait(10)

    run(attempt, 8)
    assert inside.n_waiting == 0
    assert not inside.broken


def test_failures_of_many_threads_are_all_counted(clock: Clock) -> None:
    breaker = Breaker("stripe", failures=400, reset=RESET, clock=clock)
    run(lambda: fail(breaker, 49), 8)
    assert breaker.state == "closed"
    fail(breaker, 8)
    assert breaker.state == "open"


def test_calls_that_began_before_it_opened_do_not_prolong_the_wait(breaker: Breaker, clock: Clock) -> None:
    late = [breaker.calling() for _ in range(2 * FAILURES)]
    for each in late:
        each.__enter__()
    trip(breaker)
    clock.now += RESET - 1
    error = StripeUnavailableError()
    for each in late:
        assert not each.__exit__(StripeUnavailableError, error, None)
    clock.now += 1
    call(breaker)
    assert breaker.state == "closed"


def test_a_call_that_began_before_it_opened_does_not_close_it(breaker: Breaker) -> None:
    with breaker.calling():
        trip(breaker)
    assert breaker.state == "open"


def test_a_call_that_began_before_it_opened_and_fails_after_it_closed_does_not_count(
    breaker: Breaker, clock: Clock
) -> None:
    late = [breaker.calling() for _ in range(FAILURES)]
    for each in late:
        each.__enter__()
    trip(breaker)
    clock.now += RESET
    call(breaker)
    error = StripeUnavailableError()
    for each in late:
        assert not each.__exit__(StripeUnavailableError, error, None)
    assert breaker.state == "closed"


def test_a_change_of_state_is_logged_with_what_the_trouble_was(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for trouble in ["timeout"] * 3 + ["status 503"] * 7:
        breaker.note(trouble)
    trip(breaker)
    clock.now += RESET
    call(breaker)
    assert [record.getMessage() for record in caplog.records if record.name == "tollgate.breaker"] == [
        "breaker stripe: closed -> open: 10 failures here, 0 elsewhere (7 status 503, 3 timeout)",
        "breaker stripe: open -> closed: the probe was answered",
    ]


def run(work: Callable[[], None], threads: int) -> None:
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(20)
        assert not thread.is_alive()
