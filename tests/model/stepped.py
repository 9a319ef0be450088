"""The shipped code as the model runs it: a stop before every step of the crash table, and the model's clock."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from psycopg2 import extensions
from redis import Redis

from tasks.contracts.ledger import PostFee
from tasks.contracts.payments import CreatePayment, RefreshPayment
from tasks.contracts.steps import Step
from tests.builders.house import FEE, REFRESH
from tests.model.clock import Clock
from tests.model.puppet import stop, without_stops
from workers.jobs import run
from workers.jobs.attempt import Attempt
from workers.jobs.run import Service
from workers.runtime import Runtime
from workers.services import payments

# Looked up when they are called, so that a planted bug can take their place.
CREATE = Service(
    CreatePayment,
    lambda attempt, request: payments.create(attempt, request),  # noqa: PLW0108 - see above
    lambda *arguments: payments.settle_create(*arguments),  # noqa: PLW0108 - see above
)
SINGLES = {CreatePayment.KIND.name: CREATE, RefreshPayment.KIND.name: REFRESH, PostFee.KIND.name: FEE}


class SteppedRuntime(Runtime):
    """A runtime whose transactions are places where its process may die or be overtaken."""

    __slots__ = ()

    @contextmanager
    def transaction(self, step: Step) -> Iterator[Any]:
        stop(step.value.name)
        with without_stops(), super().transaction(step) as session:
            yield session


class PatientRedis(Redis):
    """A client that never waits for entries."""

    def xreadgroup(self, *arguments: Any, **options: Any) -> Any:
        return super().xreadgroup(*arguments, **{**options, "block": None})


def _stand_before(step: Step) -> None:
    """Take the place of a step's entry: every step of the crash table is a stop."""
    stop(step.value.name)


@contextmanager
def stepping(clock: Clock) -> Iterator[None]:
    """Let the shipped code stop at its steps, and read the model's clock where it would read its own."""
    with ExitStack() as changes:
        # Its time limits matter where servers freeze; here libpq's own waiting is the faster.
        changes.callback(extensions.set_wait_callback, extensions.get_wait_callback())
        extensions.set_wait_callback(None)
        changes.enter_context(patch.object(run, "time", SimpleNamespace(monotonic=clock.time)))
        changes.enter_context(patch.object(Step, "__enter__", _stand_before))
        changes.enter_context(patch.object(run, "Attempt", partial(Attempt, monotonic=clock.time)))
        yield
