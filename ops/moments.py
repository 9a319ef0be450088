"""Times as operators type them: a date, a time in UTC, or how long ago."""

import datetime as dt
import re

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGO = re.compile(r"(\d{1,6})([smhd])")


class Moment(click.ParamType[dt.datetime]):
    """An instant: `2026-03-01`, `2026-03-01T04:30:00Z`, or `30m`, `2h`, `3d` for so long ago. Without a zone: UTC."""

    name = "time"

    def convert(
        self, value: str | dt.datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.datetime:
        """Read it; click tells the user of what can't be read."""
        if isinstance(value, dt.datetime):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago is not None:
                return dt.datetime.now(dt.UTC) - dt.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            moment = dt.datetime.fromisoformat(value)
            return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is no time: write 2026-03-01T04:30:00Z, 2026-03-01, or 30m, 2h, 3d ago", param, ctx)


MOMENT = Moment()
