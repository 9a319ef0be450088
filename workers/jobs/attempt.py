"""An attempt at a job: its fence, its lease and its intents."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import AttemptTooLongError, CancelAskedError, FenceLostError
from tasks.contracts.steps import Step
from workers.jobs.row import JobRow
from workers.runtime import Runtime

_HOLD = text("SELECT id FROM jobs WHERE id = :id AND fence = :fence AND state = 'running' FOR UPDATE")
_RENEW = text("""
UPDATE jobs SET lease_until = clock_timestamp() + make_interval(secs => :lease)
WHERE id = :id AND fence = :fence AND state = 'running' RETURNING cancel_asked_at IS NOT NULL AS cancelled
""")
ROW_SECONDS = 1.0  # what the job's row said is never older when Stripe is asked: a cancellation is in force soon
# The age of an intent counts from the first commit of its generation: Stripe's memory of the key starts there.
_INTEND = text("""
UPDATE jobs
SET intent = :intent, intent_generation = :generation,
    intent_at = CASE WHEN intent = :intent THEN intent_at ELSE clock_timestamp() END
WHERE id = :id
""")


@dataclass(slots=True)
class Attempt:
    """One claimed try. Everything it writes carries its fence.

    Args:
        lease_ends: monotonic seconds; earlier than the database's own end, since it was read before the claim.
        intended: whether this attempt committed an intent: from then on it may have asked.
        had_effect: whether a step of it is known to have been done: whatever comes after, not nothing has happened.
    """

    runtime: Runtime
    job: JobRow
    lease_ends: float
    monotonic: Callable[[], float] = field(default=time.monotonic)
    intended: bool = field(default=False)
    had_effect: bool = field(default=False)
    _started: float = field(init=False)
    _read_at: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._started = self._read_at = self.monotonic()

    @contextmanager
    def transaction(self, step: Step) -> Iterator[Session]:
        """Open a transaction that holds the job's row while this attempt still owns it.

        Raises:
            FenceLostError: if another attempt owns the job now.
            DatabaseAwayError: if PostgreSQL went away.
        """
        with self.runtime.transaction(step) as session:
            if session.execute(_HOLD, {"id": self.job.id, "fence": self.job.fence}).first() is None:
                raise FenceLostError(f"attempt {self.job.fence} of {self.job.id} was taken over")
            yield session

    def intend(self, session: Session, operation: str, generation: int) -> None:
        """Record what will be asked of Stripe, before it is asked; holds with the transaction's commit."""
        session.execute(_INTEND, {"id": self.job.id, "intent": operation, "generation": generation})
        self.intended = True

    def before_call(self, longest: float | None = None) -> None:
        """Make sure that the lease outlasts one more call, and that nobody wants the attempt to end.

        Args:
            longest: seconds that the call may take; by default as many as one to Stripe.

        Raises:
            FenceLostError: if another attempt owns the job now: the call must not be made.
            CancelAskedError: if an operator has cancelled the job since it was claimed: the call must not be made.
            AttemptTooLongError: the call must not be made; another attempt goes on where this one ends.
        """
        age = self.monotonic() - self._started
        limit = self.runtime.settings.jobs.longest_attempt
        if age >= limit:
            raise AttemptTooLongError(f"the attempt has run for {age:.0f} s, the limit is {limit:g} s")
        started = self.monotonic()
        needed = self.runtime.stripe.longest_call() if longest is None else longest
        outlasts = self.lease_ends - started > needed
        if outlasts and started - self._read_at < ROW_SECONDS:
            return
        lease = self.runtime.settings.jobs.lease
        parameters = {"id": self.job.id, "fence": self.job.fence, "lease": lease}
        with self.runtime.transaction(Step.RENEW) as session:
            row = session.execute(_RENEW, parameters).first()
        if row is None:
            raise FenceLostError(f"attempt {self.job.fence} of {self.job.id} was taken over before its call")
        if row.cancelled and not self.job.cancelling:
            raise CancelAskedError(f"{self.job.id} was cancelled before its call")
        self.lease_ends, self._read_at = started + lease, started
