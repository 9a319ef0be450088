"""Scheduled work: what is done by the clock, how often, and how late a slot may still be made up. All in seconds.

Slots are multiples of the period since 1970, UTC, by PostgreSQL's clock. A test holds every name to a job.
"""

from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
DAY: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """One piece of scheduled work.

    Args:
        name: unique, and part of its jobs' ids: it is never used for anything else.
        period: between two slots.
        made_up_within: how long after its moment a slot is still given out, if no dispatcher was there or the slot
            before was still at work; the newest one only.
    """

    name: str
    period: float
    made_up_within: float


# Money that went wrong should be known within minutes. A check looks back to the last one that was done, so a slot that
# was missed misses nothing.
INVARIANTS: Final = Plan("invariants", period=5 * MINUTE, made_up_within=5 * MINUTE)

PLANS: Final = (INVARIANTS,)
SLOTS_KEPT: Final = 30 * DAY  # for an operator who asks what was done last month
