"""Repairs: who mends what a dead process left behind, and by when."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config.breaker import EXCHANGE_EVERY
from config.breaker import LEASE as RIGHT_TO_PROBE
from config.settings import JobSettings

LOOK_UP_SECONDS: Final = 5.0  # for the claim, a look at Stripe and the outcome, when nothing else is wrong
# A view is left to its worker for a second before the dispatcher sees to it (`workers.projections.repair`).
WORKER_SHOWS_SECONDS: Final = 1.0
# How often entries that wait are tried again: keys and versions arrive with restarts, clients with a command.
WAITING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Repair:
    """Who mends what is left behind, and by when.

    Args:
        by: who or what does it.
        within: seconds until it is mended, by the pace that is set; None if it is up to a client or an operator.
    """

    by: str
    within: Callable[[JobSettings], float] | None


def _until_pending_is_taken_over(jobs: JobSettings) -> float:
    return 2 * jobs.claim_idle  # an entry must be that old, and is looked for that often


def _until_sent_again(jobs: JobSettings) -> float:
    return 2 * jobs.republish_grace  # a hint must be that old, and is looked for twice as often


def _until_lease_lapsed(jobs: JobSettings) -> float:
    return jobs.lease + 2 * jobs.poll_interval + LOOK_UP_SECONDS


def _until_shown(jobs: JobSettings) -> float:
    return WORKER_SHOWS_SECONDS + 2 * jobs.repair_interval


def _until_brought_back(jobs: JobSettings) -> float:
    return _until_pending_is_taken_over(jobs) + 2 * WAITING_SECONDS


def _until_filled_anew(jobs: JobSettings) -> float:
    return _until_shown(jobs) + 2 * jobs.repair_interval


def _next_poll(jobs: JobSettings) -> float:
    return 2 * jobs.poll_interval


def _next_repair(jobs: JobSettings) -> float:
    return 2 * jobs.repair_interval


def _until_exchanged(_: JobSettings) -> float:
    return EXCHANGE_EVERY + RIGHT_TO_PROBE


CLIENT: Final = Repair("the client repeats its key, and gets the same job", None)
TAKEN_OVER: Final = Repair(
    "another dispatcher takes the pending entry over; what is known already stays", _until_pending_is_taken_over
)
BROUGHT_BACK: Final = Repair(
    "any dispatcher brings back what waits; what can be taken in by then is", _until_brought_back
)
SENT_AGAIN: Final = Repair("the hint is sent again once its queue has moved past it or is empty", _until_sent_again)
NEXT_POLL: Final = Repair("any dispatcher's next round", _next_poll)
NEXT_REPAIR: Final = Repair("any dispatcher's next round of repair", _next_repair)
LEASE: Final = Repair("the lease runs out: the job is due again", _until_lease_lapsed)
CHECKING: Final = Repair("the lease runs out: `checking`, Stripe is asked what it knows", _until_lease_lapsed)
EXCHANGED: Final = Repair("the other workers' next exchanges; a right to probe runs out", _until_exchanged)
FILLED_ANEW: Final = Repair("any dispatcher that finds another epoch in Redis fills it anew", _until_filled_anew)
SHOWN: Final = Repair("a dispatcher shows what is newer than its view", _until_shown)
