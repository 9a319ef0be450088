"""Times as operators type them."""

from __future__ import annotations

import datetime as dt

import click
import pytest

from ops.moments import MOMENT


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", dt.datetime(2026, 3, 1, tzinfo=dt.UTC)),
        ("2026-03-01T04:30:00Z", dt.datetime(2026, 3, 1, 4, 30, tzinfo=dt.UTC)),
        ("2026-03-01T04:30:00", dt.datetime(2026, 3, 1, 4, 30, tzinfo=dt.UTC)),
        ("2026-03-01T06:30:00+02:00", dt.datetime(2026, 3, 1, 4, 30, tzinfo=dt.UTC)),
    ],
)
def test_a_time_without_a_zone_is_in_utc(text: str, moment: dt.datetime) -> None:
    assert MOMENT.convert(text, None, None) == moment


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("30m", 1800), ("2h", 7200), ("3d", 259_200)])
def test_a_number_with_a_unit_is_so_long_ago(text: str, seconds: int) -> None:
    ago = dt.datetime.now(dt.UTC) - MOMENT.convert(text, None, None)
    assert abs(ago.total_seconds() - seconds) < 5


@pytest.mark.parametrize("text", ["yesterday", "2 h", "2026-13-01", "", "5w", "999999d", "0001-01-01T00:00:00+23:00"])
def test_what_is_no_time_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(click.BadParameter, match="write 2026-03-01T04:30:00Z"):
        MOMENT.convert(text, None, None)
