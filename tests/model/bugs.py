"""Planted bugs: small mutations of the shipped SQL, scripts and functions, each of which the machine must find.

Each is one thing that someone might have forgotten. The focus tells the machine where to look, so that it need not look
for long; the sound code must pass under the same focus, from the same seed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from ingress import accept
from tests.model.focus import Focus
from tests.model.mutations import (
    HOURS,
    acknowledge_first,
    checking_is_failure,
    hasty_generation,
    intend_late,
    never_look,
    never_republish,
    patient_payments,
    resend_always,
    script,
    sql,
)
from workers.jobs import attempt, claim, outcome, rescue
from workers.jobs import intake as intake_sql
from workers.projections import projector


@dataclass(frozen=True)
class Bug:
    """One planted bug.

    Args:
        plant: puts it in, for the length of a `with` block.
        focus: where it shows.
        ground: what else must be so for it to matter, with the sound code as well.
        seed: the first that is tried; one from which it is soon found.
    """

    plant: Callable[[], AbstractContextManager[Any]]
    focus: Focus
    ground: Callable[[], AbstractContextManager[Any]] = ExitStack
    seed: int = 1


# A payment's way through the house, without anything else.
_WAY = {"post": 2, "take new": 4, "deliver": 8, "advance": 2, "run": 8}
# A doubt that is looked into again and again.
_AGAIN = {"post": 2, "take new": 4, "deliver": 8, "run": 14, "jump": 6, "publish": 6, "republish": 2}
# And for so long that Stripe forgets.
_FORGOTTEN = {"post": 2, "take new": 4, "deliver": 8, "run": 14, "jump": 3, "publish": 6}
# Several workers at one job, each falling asleep or dying wherever it likes.
_OVERTAKING = {"post": 2, "take new": 3, "deliver": 8, "run": 6, "stall": 9, "wake": 4, "jump": 4, "publish": 4}
_DYING = {**_WAY, "stall": 8, "kill": 6, "jump": 4, "rescue": 4}

BUGS = {
    "claim does not ask whether the job is due": Bug(
        lambda: sql(claim, "_CLAIM", "next_run_at <= clock_timestamp()", "next_run_at IS NOT NULL"),
        Focus({**_WAY, "deliver": 20}, payments=4, variants=1, faults=("unreached",) * 8, only=True),
    ),
    "claim does not raise the fence": Bug(
        lambda: sql(claim, "_CLAIM", "fence = fence + 1,", ""),
        Focus(_WAY, payments=1, variants=1, only=True),
    ),
    "an outcome is written whatever the fence": Bug(
        lambda: sql(outcome, "_FINISH", "AND fence = :fence AND state = 'running'", "AND :fence >= 0"),
        Focus({**_OVERTAKING, "rescue": 4}, payments=6, variants=1, faults=(), jumps=(20.0,), only=True),
    ),
    "rescue takes jobs whose lease still runs": Bug(
        lambda: sql(rescue, "_RESCUE", "AND jobs.lease_until < clock_timestamp()", ""),
        Focus({**_DYING, "jump": 0}, payments=2, variants=1, only=True),
    ),
    "rescue forgets that Stripe may have been asked": Bug(
        lambda: sql(rescue, "_RESCUE", "CASE WHEN intent IS NULL THEN 'ready' ELSE 'checking' END", "'ready'"),
        Focus(_DYING, payments=6, variants=1, faults=(), jumps=(20.0,), only=True),
    ),
    "intake takes no entry twice": Bug(
        lambda: sql(intake_sql, "_INSERT", "ON CONFLICT DO NOTHING", ""),
        Focus({**_DYING, "take left": 10}, payments=2, variants=1, only=True),
    ),
    "an entry is acknowledged before its row is committed": Bug(
        acknowledge_first,
        Focus({**_DYING, "post": 8}, payments=3, variants=1, only=True),
    ),
    "the accept script remembers the key before the journal has the entry": Bug(
        lambda: script(
            accept,
            "SCRIPT",
            "local views = #KEYS - 3\n",
            "local views = #KEYS - 3\nredis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])\n",
        ),
        Focus({**_WAY, "broken journal": 8, "post": 12}, payments=3, variants=1, only=True),
    ),
    "the accept script does not remember the key": Bug(
        lambda: script(accept, "SCRIPT", "redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])", ""),
        Focus({**_WAY, "post": 12}, payments=1, variants=2, only=True),
    ),
    "a lost message is not sent again": Bug(
        never_republish,
        Focus({**_WAY, "lose": 12}, payments=2, variants=1, only=True),
    ),
    "an older view replaces a newer one": Bug(
        lambda: script(
            projector,
            "PROJECT",
            "if epoch > known_epoch or (epoch == known_epoch and version > known_version) then",
            "if true then",
        ),
        Focus(_OVERTAKING, payments=4, variants=1, faults=("unreached",) * 10, jumps=(1.0, 6.0), only=True),
    ),
    "Stripe is asked again after it has forgotten the key": Bug(
        resend_always,
        Focus(_FORGOTTEN, payments=4, variants=1, faults=("broken",) * 8, jumps=(25 * HOURS,), only=True),
        patient_payments,
    ),
    "a new generation does not wait": Bug(
        hasty_generation,
        Focus(_AGAIN, payments=1, variants=1, faults=("broken",) * 6, jumps=(1.0, 6.0), only=True),
    ),
    "the intent is written after the call": Bug(
        intend_late,
        Focus(_WAY, payments=1, variants=1, only=True),
    ),
    "nobody looks before asking again": Bug(
        never_look,
        Focus(_AGAIN, payments=1, variants=1, faults=("acted",) * 6, jumps=(130.0,), only=True),
    ),
    "what is being checked is called failed": Bug(
        checking_is_failure,
        Focus(_WAY, payments=1, variants=1, faults=("lost", "acted") * 4, only=True),
    ),
    "a snooze counts as an attempt": Bug(
        lambda: sql(outcome, "_FINISH", "attempts = attempts - CASE WHEN :counts THEN 0 ELSE 1 END,", ""),
        Focus(_WAY, payments=1, variants=1, faults=("shut",) * 6, only=True),
    ),
    "a running attempt never hears of its cancellation": Bug(
        lambda: sql(attempt, "_RENEW", "cancel_asked_at IS NOT NULL AS cancelled", "false AS cancelled"),
        Focus({**_OVERTAKING, "cancel": 4}, payments=6, variants=1, faults=(), jumps=(6.0,), only=True),
    ),
}
