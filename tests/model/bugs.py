"""Planted bugs: small mutations of the shipped SQL, scripts and functions, each of which the machine must find.

Each is one thing that someone might have forgotten. The focus tells the machine where to look, so that it need not look
for long; the sound code must pass under the same focus, from the same seed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from ingress import accept
from tasks import intake, upkeep
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from tests.model.focus import Focus
from workers.jobs import attempt, claim, outcome, rescue
from workers.jobs import intake as intake_sql
from workers.projections import projector
from workers.services import payments

HOURS = 3600.0


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


@contextmanager
def _sql(module: ModuleType, name: str, old: str, new: str) -> Iterator[None]:
    statement = str(getattr(module, name).text)
    assert old in statement, f"{name} has changed: the planted bug must follow"
    with patch.object(module, name, text(statement.replace(old, new))):
        yield


@contextmanager
def _script(module: ModuleType, name: str, old: str, new: str) -> Iterator[None]:
    script = getattr(module, name)
    assert old in script, f"{name} has changed: the planted bug must follow"
    with ExitStack() as stack:
        changed = script.replace(old, new)
        stack.enter_context(patch.object(module, name, changed))
        if hasattr(module, f"{name}_HASH"):
            digest = hashlib.sha1(changed.encode(), usedforsecurity=False).hexdigest()
            stack.enter_context(patch.object(module, f"{name}_HASH", digest))
        yield


def _acknowledge_first() -> AbstractContextManager[Any]:
    take = intake.Reader._take

    def acknowledging(self: intake.Reader, entries: Any) -> int:
        self.redis.xack(self.runtime.settings.redis.keyspace.journal, intake.GROUP, *(name for name, _ in entries))
        return take(self, entries)

    return patch.object(intake.Reader, "_take", acknowledging)


def _never_republish() -> AbstractContextManager[Any]:
    return patch.object(upkeep, "mark_lost", lambda *_args, **_options: [])


def _intend_late() -> AbstractContextManager[Any]:
    ask = payments._ask

    def asking(one: attempt.Attempt, *arguments: Any, generation: int) -> Any:
        answer = ask(one, *arguments, generation=generation)
        with one.transaction(Step.INTENT) as session:
            SOUND_INTEND(one, session, answer.value.operation or "", generation)
        return answer

    stack = ExitStack()
    stack.enter_context(patch.object(payments, "_ask", asking))
    stack.enter_context(patch.object(attempt.Attempt, "intend", lambda *_args, **_options: None))
    return stack


SOUND_INTEND = attempt.Attempt.intend


def _resend_always() -> AbstractContextManager[Any]:
    """Forget the 23 hours: every intent looks as young as its attempt."""
    ask_again = payments._ask_again

    def asking(one: attempt.Attempt, *arguments: Any) -> Any:
        one.job = replace(one.job, intent_age=0.0)
        return ask_again(one, *arguments)

    return patch.object(payments, "_ask_again", asking)


def _patient_payments() -> AbstractContextManager[Any]:
    """Let payments be tried for three days, so that one can be younger than that and older than Stripe's memory."""
    return patch.object(CreatePayment, "KIND", replace(CreatePayment.KIND, max_age=72 * HOURS))


def _hasty_generation() -> AbstractContextManager[Any]:
    """Forget the two minutes."""
    ask_again = payments._ask_again

    def asking(one: attempt.Attempt, *arguments: Any) -> Any:
        one.job = replace(one.job, failure_age=600.0)
        return ask_again(one, *arguments)

    return patch.object(payments, "_ask_again", asking)


def _never_look() -> AbstractContextManager[Any]:
    return patch.object(payments, "_look", lambda *_: None)


def _checking_is_failure() -> AbstractContextManager[Any]:
    sound = payments.settle_create

    def settle(session: Any, runtime: Any, job: Any, request: Any, ending: Any) -> None:
        sound(
            session, runtime, job, request, replace(ending, state="refused") if ending.state == "checking" else ending
        )

    return patch.object(payments, "settle_create", settle)


_FEW = {
    "webhook": 0,
    "pay": 0,
    "copy": 0,
    "restore": 0,
    "forget": 0,
    "too old": 0,
    "next day": 0,
    "broken journal": 0,
    "cancel": 0,
    "replay": 0,
    "pause or resume": 0,
    "stop": 0,
}
_WORK = {"trim": 0, "waiting entries": 0, "epoch": 0, "broker comes or goes": 0, **_FEW}
_FAULTY = {"rescue": 9, "kill": 8, "jump": 14, "republish": 6, **_WORK}
# A doubt that is looked into again and again, without anything else.
_AGAIN = {"advance": 4, "post": 2, "take new": 4, "publish": 8, "republish": 3, "deliver": 10, "run": 14, "jump": 8}
# Many workers at one job, each standing still wherever it likes.
_OVERTAKING = {
    "advance": 20,
    "post": 2,
    "take new": 4,
    "deliver": 12,
    "jump": 8,
    "publish": 8,
    "run": 8,
    "freeze": 12,
    "wake": 6,
}

BUGS = {
    "claim does not ask whether the job is due": Bug(
        lambda: _sql(claim, "_CLAIM", "next_run_at <= clock_timestamp()", "next_run_at IS NOT NULL"),
        Focus({**_WORK, "deliver": 30, "jump": 2}, payments=1, variants=1, faults=("unreached",) * 8),
    ),
    "claim does not raise the fence": Bug(
        lambda: _sql(claim, "_CLAIM", "fence = fence + 1,", ""),
        Focus(_WORK, payments=1, variants=1),
    ),
    "an outcome is written whatever the fence": Bug(
        lambda: _sql(outcome, "_FINISH", "AND fence = :fence AND state = 'running'", "AND :fence >= 0"),
        Focus({**_OVERTAKING, "rescue": 8}, payments=1, variants=1, faults=(), jumps=(20.0, 6.0), only=True),
        seed=2,
    ),
    "rescue takes jobs whose lease still runs": Bug(
        lambda: _sql(rescue, "_RESCUE", "AND jobs.lease_until < clock_timestamp()", ""),
        Focus(_WORK, payments=2, variants=1),
    ),
    "rescue forgets that Stripe may have been asked": Bug(
        lambda: _sql(rescue, "_RESCUE", "CASE WHEN intent IS NULL THEN 'ready' ELSE 'checking' END", "'ready'"),
        Focus(_FAULTY, payments=1, variants=1, faults=()),
    ),
    "intake takes no entry twice": Bug(
        lambda: _sql(intake_sql, "_INSERT", "ON CONFLICT DO NOTHING", ""),
        Focus({**_WORK, "take left": 10, "kill": 8}, payments=2, variants=1),
    ),
    "an entry is acknowledged before its row is committed": Bug(
        _acknowledge_first,
        Focus({**_WORK, "kill": 12}, payments=3, variants=1),
    ),
    "the accept script remembers the key before the journal has the entry": Bug(
        lambda: _script(
            accept,
            "SCRIPT",
            "local views = #KEYS - 3\n",
            "local views = #KEYS - 3\nredis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])\n",
        ),
        Focus({**_WORK, "broken journal": 8, "post": 12}, payments=3, variants=1),
    ),
    "the accept script does not remember the key": Bug(
        lambda: _script(accept, "SCRIPT", "redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])", ""),
        Focus({**_WORK, "post": 20}, payments=1, variants=2),
    ),
    "a lost message is not sent again": Bug(
        _never_republish,
        Focus({**_WORK, "lose": 12}, payments=2, variants=1),
    ),
    "an older view replaces a newer one": Bug(
        lambda: _script(
            projector,
            "PROJECT",
            "if epoch > known_epoch or (epoch == known_epoch and version > known_version) then",
            "if true then",
        ),
        Focus(_OVERTAKING, payments=1, variants=1, faults=("unreached",) * 10, jumps=(1.0, 6.0), only=True),
        seed=4,
    ),
    "Stripe is asked again after it has forgotten the key": Bug(
        _resend_always,
        Focus({**_AGAIN, "next day": 12}, payments=1, variants=1, faults=("broken",) * 6, only=True),
        _patient_payments,
    ),
    "a new generation does not wait": Bug(
        _hasty_generation,
        Focus(_AGAIN, payments=1, variants=1, faults=("broken",) * 6, jumps=(1.0, 6.0), only=True),
    ),
    "the intent is written after the call": Bug(
        _intend_late,
        Focus(_WORK, payments=1, variants=1),
    ),
    "nobody looks before asking again": Bug(
        _never_look,
        Focus({**_FAULTY, "jump": 20, "run": 6}, payments=1, variants=1, faults=("acted",) * 6, jumps=(130.0, 6.0)),
    ),
    "what is being checked is called failed": Bug(
        _checking_is_failure,
        Focus({**_FAULTY, "run": 4}, payments=1, variants=1, faults=("lost", "acted") * 4),
    ),
    "a snooze counts as an attempt": Bug(
        lambda: _sql(outcome, "_FINISH", "attempts = attempts - CASE WHEN :counts THEN 0 ELSE 1 END,", ""),
        Focus(_WORK, payments=1, variants=1, faults=("shut",) * 6),
    ),
}
