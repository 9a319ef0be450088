"""Scheduled work: what is done by the clock, how often, and how late a slot may still be made up. All in seconds.

Slots are multiples of the period since 1970, UTC, by PostgreSQL's clock. A test holds every name to a job.
"""

from dataclasses import dataclass, replace
from typing import Final

from config.environment import Reader

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

# Lost webhooks should be made up for before anybody asks. As above, a look goes on where the last one ended.
HEAL: Final = Plan("events.heal", period=5 * MINUTE, made_up_within=5 * MINUTE)

# Accountants think in days. A run begins where the last one ended, so that a day which was missed is not left out.
RECONCILIATION: Final = Plan("reconciliation", period=DAY, made_up_within=DAY)

# Each invoice is looked at within the hour after its day: what follows is a matter of days.
INVOICES: Final = Plan("invoices", period=60 * MINUTE, made_up_within=60 * MINUTE)
# So many days after an invoice was due it is mailed again, each once: soon, since it may have been forgotten, then at
# the pace at which one asks again politely.
REMINDER_DAYS: Final = (1, 8, 22)

# Banks give a week or more, and what they are not answered in time is lost: the watch tells of a new dispute within the
# hour, and again when so many days are left.
DISPUTES: Final = Plan("disputes", period=60 * MINUTE, made_up_within=60 * MINUTE)
DISPUTE_DAYS: Final = (5, 2)

PLANS: Final = (INVARIANTS, HEAL, RECONCILIATION, INVOICES, DISPUTES)
SLOTS_KEPT: Final = 30 * DAY  # for an operator who asks what was done last month


def read_plans(read: Reader) -> tuple[Plan, ...]:
    """Read how often that is done of which a setting says so; the rest is as above."""
    every = read.seconds("TOLLGATE_HEAL_SECONDS", HEAL.period)
    return tuple(replace(plan, period=every, made_up_within=every) if plan is HEAL else plan for plan in PLANS)
