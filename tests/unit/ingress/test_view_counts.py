"""Reads are counted by noun, and told of in the log at most once a minute."""

from __future__ import annotations

import logging

import pytest

from ingress.view_counts import LOG_SECONDS, ViewCounts


def test_hits_and_misses_are_counted_by_noun() -> None:
    counts = ViewCounts()
    counts.note("pay", hit=True)
    counts.note("pay", hit=True)
    counts.note("inv", hit=False)
    assert counts.totals() == {"hits": {"pay": 2}, "misses": {"inv": 1}}


def test_the_log_tells_of_them_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    counts = ViewCounts(lambda: now)
    with caplog.at_level(logging.INFO):
        counts.note("pay", hit=True)
        assert caplog.records == []
        now = LOG_SECONDS
        counts.note("pay", hit=True)
        counts.note("pay", hit=False)
    [line] = caplog.records
    assert (line.__dict__["hits"], line.__dict__["misses"]) == ({"pay": 2}, {})
