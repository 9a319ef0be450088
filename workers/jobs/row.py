"""A claimed job, as frozen data."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Row

from tasks.contracts.kinds import kind_of


@dataclass(frozen=True, slots=True)
class JobRow:
    """What an attempt knows of its job, as it was when it was claimed.

    Args:
        fence: the number of this claim; every later write carries it.
        attempts: tries so far, this one included.
        quarantined: whether it runs alone.
        taken_in_late: whether its row is much younger than its acceptance, or the journal was read again since then:
            a restored database may have forgotten what Stripe was asked.
        expired: whether its kind's maximum age had passed, by PostgreSQL's clock.
        cancelling: whether an operator asked for its end.
        said_not_done: whether an operator has looked, and says that Stripe did nothing for it.
        stopped_for: for how many seconds nothing may be sent on its behalf, since it expired or was cancelled; None
            while it may.
        intent_age: seconds since Stripe may first have been asked under the intent's key, None if it never was.
        failure_age: seconds since Stripe first repeated a failure that it has stored under the intent's key, None if
            it never did.
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
    quarantined: bool
    intent: str | None
    intent_generation: int
    intent_age: float | None
    failure_age: float | None
    taken_in_late: bool
    expired: bool
    cancelling: bool
    said_not_done: bool
    stopped_for: float | None
    accepted_at: dt.datetime

    @property
    def may_have_asked(self) -> bool:
        """Whether an earlier attempt may have asked Stripe for something: look before asking."""
        return self.intent is not None or (self.taken_in_late and kind_of(self.kind).asks)

    @property
    def is_decided(self) -> bool:
        """Whether nothing is left to be judged before Stripe is looked at: it was, or nothing is sent any more.

        One that was taken in late is judged like any other; it only looks at Stripe before it asks.
        """
        return self.intent is not None or (self.may_have_asked and self.stopped_for is not None)

    @classmethod
    def from_row(cls, row: Row[Any]) -> Self:
        """Read the columns that `claim` returns."""
        return cls(**{name: getattr(row, name) for name in cls.__slots__})
