"""Seat holds and duplicates: what a payment intent may say of the seats that are kept for it, and of its booking."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import fields

from ingress.fields import OneOf, StrictSchema, Text, complaint

LATE: Final = ("confirm", "refund")
ON_DUPLICATE: Final = ("refuse", "flag")
# RFC 3339, section 5.6
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:)(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE | re.ASCII)
_LEAP = 60  # a leap second, which Python does not know
_MOST_DIGITS = 7  # the dot and microseconds; what is finer is cut off
_FIRST, _LAST = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)


class Time(fields.String):
    """A time with its zone (RFC 3339); once read, in UTC with milliseconds."""

    default_error_messages = Text.default_error_messages

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        moment = _moment(super()._deserialize(value, attr, data, **kwargs))
        if moment is None:
            raise complaint("not_a_time", "The field must be a time of RFC 3339, with its zone.")
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(written: str) -> dt.datetime | None:
    parts = _TIME.fullmatch(written)
    if parts is None:
        return None
    seconds = int(parts[2])
    fraction = (parts[3] or "")[:_MOST_DIGITS]
    try:
        minute = dt.datetime.fromisoformat(f"{parts[1]}00{parts[4]}".upper())
        within = dt.timedelta(seconds=float(f"{seconds}{fraction}"))
    except ValueError:
        return None
    if seconds > _LEAP:
        return None
    try:
        return minute.astimezone(dt.UTC) + within
    except OverflowError:  # a zone that leads out of the calendar
        return _FIRST if minute.year == dt.MINYEAR else _LAST


class SeatHoldSchema(StrictSchema):
    """The seats that are kept for a payment, and what to do with money that comes when they are gone."""

    token = Text(1, 255, required=True, metadata={"description": "Yours; shown again", "example": "hold_8c1f"})
    expires_at = Time(
        required=True,
        metadata={
            "description": "Until when they are kept (RFC 3339). Money of the second in which they go is in time",
            "format": "date-time",
            "example": "2026-03-12T10:15:00Z",
        },
    )
    late = OneOf(
        LATE,
        "late_unknown",
        required=True,
        metadata={
            "description": "Money that comes later: `confirm` keeps it, `refund` gives all of it back. Both are "
            "flagged, and told as `payment.late`",
        },
    )


def hold_fields(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a payment's contract says of its seats and of other payments for its booking."""
    hold = asked.get("seat_hold")
    kept = {} if hold is None else {f"hold_{name}": hold[name] for name in ("token", "expires_at", "late")}
    return {**kept, "on_duplicate": asked.get("on_duplicate", "flag")}
