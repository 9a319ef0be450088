"""A line of a timeline."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Clock(StrEnum):
    """Whose clock told the time. Stripe's tells whole seconds, so what it did seems up to a second earlier."""

    OURS = "ours"
    STRIPES = "Stripe's"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened.

    Args:
        at: when, UTC.
        clock: by whose clock.
        what: a word for what sort of thing it is, such as `attempt`.
        subject: the id of what it is about.
        text: what happened, in words; never personal data, never a secret.
        details: the same for machines.
    """

    at: dt.datetime
    clock: Clock
    what: str
    subject: str
    text: str
    details: Mapping[str, Any]


def in_order(lines: list[Line]) -> list[Line]:
    """Return lines by time; of one moment, in the order in which they were found."""
    return sorted(lines, key=lambda line: line.at)
