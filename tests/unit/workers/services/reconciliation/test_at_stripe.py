"""Pieces of time: without gaps, without overlap, each within a day."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from workers.services.reconciliation.at_stripe import PIECE, pieces

START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


@given(st.integers(0, 400_000), st.integers(0, 400_000))
def test_pieces_cover_a_time_once_and_each_is_of_one_day(begin: int, length: int) -> None:
    since = START + dt.timedelta(seconds=begin)
    until = since + dt.timedelta(seconds=length)
    cut = pieces(since, until)
    assert [each.until for each in cut[:-1]] == [each.since for each in cut[1:]]
    assert not cut or (cut[0].since, cut[-1].until) == (since, until)
    assert all(dt.timedelta(0) < each.until - each.since <= PIECE for each in cut)
    assert all((each.until - dt.timedelta(seconds=1)).date() == each.day for each in cut)
