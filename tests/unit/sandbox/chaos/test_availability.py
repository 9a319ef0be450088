"""Availability: the arithmetic of what was answered and what could be."""

from __future__ import annotations

import pytest

from sandbox.chaos.availability import Asked, measure, merge


def test_raw_counts_every_request_and_undisturbed_only_those_outside_of_outages() -> None:
    requests = [Asked(0, 1, True), Asked(5, 6, False), Asked(9, 10, True), Asked(11, 12, False)]
    found = measure(requests, [(4, 7)])
    assert found.raw == pytest.approx(2 / 4)
    assert found.undisturbed == pytest.approx(2 / 3)
    assert (found.counted, found.excluded) == (3, 1)


@pytest.mark.parametrize(
    ("started", "ended", "overlaps"),
    [(1, 2, False), (2, 3, False), (2, 3.5, True), (4, 5, True), (6.5, 9, True), (7, 8, False), (1, 9, True)],
)
def test_a_request_is_excluded_if_any_part_of_it_fell_into_an_outage(
    started: float, ended: float, overlaps: bool
) -> None:
    assert measure([Asked(started, ended, False)], [(3, 7)]).excluded == overlaps


def test_a_long_outage_that_began_before_a_short_one_still_counts() -> None:
    assert measure([Asked(8, 9, False)], [(0, 10), (2, 3)]).excluded == 1


def test_outages_that_touch_or_overlap_are_one() -> None:
    assert merge([(5, 6), (0, 2), (1, 3), (3, 4)]) == [(0, 4), (5, 6)]


def test_without_requests_there_is_no_share() -> None:
    found = measure([], [(0, 1)])
    assert found.raw is None
    assert found.undisturbed is None


def test_a_failure_outside_of_all_outages_lowers_the_share() -> None:
    requests = [Asked(number, number + 0.5, number != 3) for number in range(10)]
    assert measure(requests, []).undisturbed == pytest.approx(0.9)
