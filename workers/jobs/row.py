"""A claimed job, as frozen data."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class JobRow:
    """What an attempt knows of its job, as it was when it was claimed.

    Args:
        fence: the number of this claim; every later write carries it.
        attempts: tries so far, this one included.
        taken_in_late: whether its row is much younger than its acceptance: a restored database may have forgotten
            what Stripe was asked.
        expired: whether its kind's maximum age had passed, by PostgreSQL's clock.
        intent_age: seconds since the first intent was committed, None if there is none.
    """

    id: str
    kind: str
    client_id: str
    subject_id: str
    request_id: str
    payload: bytes
    fence: int
    attempts: int
    rescues: int
    snoozes: int
    intent: str | None
    intent_generation: int
    intent_age: float | None
    taken_in_late: bool
    expired: bool
    accepted_at: dt.datetime

    @classmethod
    def from_row(cls, row: Row[Any]) -> Self:
        """Read the columns that `claim` returns."""
        return cls(**{name: getattr(row, name) for name in cls.__slots__})
