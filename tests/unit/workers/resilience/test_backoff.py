from __future__ import annotations

import random

import pytest

from workers.resilience.backoff import backoff, snooze


def at_most() -> float:
    return 1.0


def test_the_ceiling_doubles_with_every_attempt() -> None:
    assert [backoff(attempt, base=2.0, cap=1000.0, random=at_most) for attempt in (1, 2, 3, 4)] == [2, 4, 8, 16]


def test_the_ceiling_never_exceeds_the_cap() -> None:
    assert backoff(10, base=2.0, cap=30.0, random=at_most) == 30.0


def test_a_very_late_attempt_waits_no_longer_than_the_cap() -> None:
    assert backoff(1_000_000, base=1.0, cap=300.0, random=at_most) == 300.0


def test_the_jitter_spreads_over_the_whole_range_from_zero() -> None:
    seeded = random.Random(7)
    waits = [backoff(5, base=1.0, cap=300.0, random=seeded.random) for _ in range(2000)]
    assert 0 <= min(waits) < 0.5
    assert 15.5 < max(waits) <= 16
    assert 7 < sum(waits) / len(waits) < 9


def test_what_the_other_side_asked_for_is_the_least_that_is_waited() -> None:
    assert backoff(1, base=1.0, cap=2.0, random=lambda: 0.5, retry_after=7.0) == 7.0
    assert backoff(4, base=1.0, cap=100.0, random=at_most, retry_after=3.0) == 8.0


@pytest.mark.parametrize(("attempt", "base", "cap"), [(0, 1.0, 1.0), (-1, 1.0, 1.0), (1, -1.0, 1.0), (1, 1.0, -1.0)])
def test_nonsense_is_refused(attempt: int, base: float, cap: float) -> None:
    with pytest.raises(ValueError, match=r"attempts|seconds"):
        backoff(attempt, base=base, cap=cap, random=at_most)


def test_a_snooze_lasts_as_long_as_the_breaker_says_and_at_most_half_as_long_again() -> None:
    assert [snooze(wait, random=lambda: 0.0) for wait in (1.0, 8.0, 60.0)] == [1.0, 8.0, 60.0]
    assert [snooze(wait, random=at_most) for wait in (1.0, 8.0, 60.0)] == [1.5, 12.0, 65.0]
