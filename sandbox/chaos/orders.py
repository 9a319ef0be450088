"""Orders: what one client of the API asks for, how it goes on, and every answer that it got."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox.demo.bookings import make_booking

Fate = Literal[
    "pays",
    "pays with another card",
    "is declined",
    "leaves",
    "is refunded",
    "is refunded in part",
    "is cancelled",
    "wants all back",
    "wants a part back",
    "is captured",
    "is captured in part",
    "is held and given up",
    "is given up",
]
# What the payment must read in the end, if the shopper came so far.
ENDS: Final[Mapping[Fate, str]] = {
    "pays": "paid",
    "pays with another card": "paid",
    "is declined": "declined",
    "leaves": "requires_confirmation",
    "is refunded": "refunded",
    "is refunded in part": "partially_refunded",
    "is cancelled": "canceled",
    "wants all back": "refunded",
    "wants a part back": "partially_refunded",
    "is captured": "paid",
    "is captured in part": "paid",
    "is held and given up": "canceled",
    "is given up": "canceled",
}
HELD: Final[frozenset[Fate]] = frozenset({"is captured", "is captured in part", "is held and given up"})
PART_TAKEN: Final = 1_000  # pence captured of an order that is captured in part; every price is far above
PART: Final = 100  # pence given back in part; every price is far above
# What the website asks to give back; None is all of it.
WANTED_BACK: Final[Mapping[Fate, int | None]] = {"wants all back": None, "wants a part back": PART}
MIXED: Final[Mapping[Fate, int]] = {
    "pays": 9,
    "pays with another card": 3,
    "is declined": 3,
    "leaves": 2,
    "wants all back": 2,
    "wants a part back": 1,
    "is captured": 1,
    "is captured in part": 2,
    "is held and given up": 1,
    "is given up": 1,
}
ALL_PAY: Final[Mapping[Fate, int]] = {"pays": 1}
IMPATIENT_SHARE: Final = 0.25  # of clients that never repeat an unknown answer, so that "at most once" is tried too

ACCEPTED: Final = "accepted"
UNKNOWN: Final = frozenset({"acceptance_unknown", "no_answer", "server_error"})


@dataclass(slots=True)
class Posted:
    """What a client posts under one key, and how it was answered. Times in seconds of the harness's monotonic clock."""

    number: int
    reference: str
    impatient: bool = field(default=False, kw_only=True)
    answers: Counter[str] = field(default_factory=Counter, kw_only=True)
    job_ids: set[str] = field(default_factory=set, kw_only=True)
    posted_at: float | None = field(default=None, kw_only=True)
    accepted_at: float | None = field(default=None, kw_only=True)
    ended_at: float | None = field(default=None, kw_only=True)
    problem: str | None = field(default=None, kw_only=True)

    @property
    def accepted(self) -> bool:
        """Whether the client was told that its order is kept."""
        return self.accepted_at is not None

    @property
    def unknown(self) -> bool:
        """Whether it may have been accepted, without the client knowing: it may run, at most once."""
        return not self.accepted and any(answer in UNKNOWN for answer in self.answers)


@dataclass(slots=True)
class Order(Posted):
    """One payment as its client lives it."""

    body: Mapping[str, Any]
    fate: Fate
    payment_ids: set[str] = field(default_factory=set)
    refund_ids: set[str] = field(default_factory=set)
    refund_job_ids: set[str] = field(default_factory=set)
    operation_id: str | None = None
    secret: str | None = None
    status: str = ""

    @property
    def refund_accepted(self) -> bool:
        """Whether the client was told that its refund is kept."""
        return bool(self.refund_ids)

    @property
    def takes(self) -> int:
        """What may be taken for it, in minor units, if anything is."""
        return PART_TAKEN if self.fate == "is captured in part" else int(self.body["amount"])

    @property
    def end(self) -> str:
        """What the payment must read in the end, if the shopper came so far."""
        return ENDS[self.fate]

    @property
    def payment_id(self) -> str:
        """The payment's id; of an accepted order only."""
        return min(self.payment_ids)


def make_orders(
    count: int, run: str, chance: random.Random, fates: Mapping[Fate, int], *, impatient: bool = False
) -> list[Order]:
    """Return that many orders, the same for the same chance.

    Args:
        count: how many.
        run: what their references begin with; no other orders of the same system may share it.
        chance: decides everything.
        fates: how many of each kind, as weights.
        impatient: whether some clients give up when they don't know whether they were accepted.
    """
    names: Sequence[Fate] = list(fates)
    return [
        Order(
            number=number,
            reference=booking.reference,
            body=booking.body | ({"capture": "manual"} if fate in HELD else {}),
            fate=fate,
            impatient=impatient and chance.random() < IMPATIENT_SHARE,
        )
        for number in range(count)
        for booking in [make_booking(number, run, chance)]
        for fate in chance.choices(names, list(fates.values()))
    ]
