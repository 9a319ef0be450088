"""Mutations of the shipped SQL, scripts and functions: each is in force for the length of a `with` block."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any
from unittest.mock import patch

from sqlalchemy import text

from tasks import intake, upkeep
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from workers.jobs import attempt
from workers.services import payment_intents, payments

HOURS = 3600.0
SOUND_INTEND = attempt.Attempt.intend


@contextmanager
def sql(module: ModuleType, name: str, old: str, new: str) -> Iterator[None]:
    """Change a part of a module's statement; fail if the part is not there any more."""
    statement = str(getattr(module, name).text)
    assert old in statement, f"{name} has changed: the planted bug must follow"
    with patch.object(module, name, text(statement.replace(old, new))):
        yield


@contextmanager
def script(module: ModuleType, name: str, old: str, new: str) -> Iterator[None]:
    """Change a part of a module's script, and the hash under which Redis knows it; fail as `sql` does."""
    sound = getattr(module, name)
    assert old in sound, f"{name} has changed: the planted bug must follow"
    with ExitStack() as stack:
        changed = sound.replace(old, new)
        stack.enter_context(patch.object(module, name, changed))
        if hasattr(module, f"{name}_HASH"):
            digest = hashlib.sha1(changed.encode(), usedforsecurity=False).hexdigest()
            stack.enter_context(patch.object(module, f"{name}_HASH", digest))
        yield


def acknowledge_first() -> AbstractContextManager[Any]:
    """Acknowledge entries before their rows are written."""
    take = intake.Reader._take

    def acknowledging(self: intake.Reader, entries: Any) -> int:
        self.redis.xack(self.runtime.settings.redis.keyspace.journal, intake.GROUP, *(name for name, _ in entries))
        return take(self, entries)

    return patch.object(intake.Reader, "_take", acknowledging)


def never_republish() -> AbstractContextManager[Any]:
    """Take no hint for lost."""
    return patch.object(upkeep, "mark_lost", lambda *_args, **_options: [])


def intend_late() -> AbstractContextManager[Any]:
    """Write the intent when Stripe has answered."""
    ask = payment_intents.ask

    def asking(one: attempt.Attempt, *arguments: Any, generation: int) -> Any:
        answer = ask(one, *arguments, generation=generation)
        with one.transaction(Step.INTENT) as session:
            SOUND_INTEND(one, session, answer.value.operation or "", generation)
        return answer

    stack = ExitStack()
    for module in (payments, payment_intents):
        stack.enter_context(patch.object(module, "ask", asking))
    stack.enter_context(patch.object(attempt.Attempt, "intend", lambda *_args, **_options: None))
    return stack


def resend_always() -> AbstractContextManager[Any]:
    """Forget the 23 hours: every intent looks as young as its attempt."""
    ask_again = payments.ask_again

    def asking(one: attempt.Attempt, *arguments: Any) -> Any:
        one.job = replace(one.job, intent_age=0.0)
        return ask_again(one, *arguments)

    return patch.object(payments, "ask_again", asking)


def patient_payments() -> AbstractContextManager[Any]:
    """Let payments be tried for three days, so that one can be younger than that and older than Stripe's memory."""
    return patch.object(CreatePayment, "KIND", replace(CreatePayment.KIND, max_age=72 * HOURS))


def hasty_generation() -> AbstractContextManager[Any]:
    """Forget the two minutes."""
    ask_again = payments.ask_again

    def asking(one: attempt.Attempt, *arguments: Any) -> Any:
        one.job = replace(one.job, failure_age=600.0)
        return ask_again(one, *arguments)

    return patch.object(payments, "ask_again", asking)


def never_look() -> AbstractContextManager[Any]:
    """Take it that Stripe has nothing."""
    return patch.object(payments, "look", lambda *_: None)


def checking_is_failure() -> AbstractContextManager[Any]:
    """Tell the website that what is not known has failed."""
    sound = payments.settle_create

    def settle(session: Any, runtime: Any, job: Any, request: Any, ending: Any) -> None:
        sound(
            session, runtime, job, request, replace(ending, state="refused") if ending.state == "checking" else ending
        )

    return patch.object(payments, "settle_create", settle)
