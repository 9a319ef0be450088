"""Waiting: an attempt that had no effect, and comes again by itself since something is not there yet."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import StripeOutcomeUnknownError
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.resilience.backoff import backoff
from workers.runtime import Runtime

# In an entry's first minute what was accepted before it may still be on its way: with a dispatcher that died its
# entries stay for some seconds before another takes them.
FRESH_SECONDS: Final = 60.0
_IS_FRESH = text("SELECT CAST(:accepted_at AS timestamptz) > clock_timestamp() - make_interval(secs => :seconds)")


def is_fresh(session: Session, job: JobRow) -> bool:
    """Tell whether a job was accepted so lately that what it names and what is not here may yet be taken in."""
    return bool(session.scalar(_IS_FRESH, {"accepted_at": job.accepted_at, "seconds": FRESH_SECONDS}))


def waiting_unless_asked(attempt: Attempt, kind: str, message: str) -> Outcome:
    """Return what `waiting` does, for what is not here yet.

    Raises:
        StripeOutcomeUnknownError: if an earlier attempt may have asked, of which a restored database knows nothing.
    """
    if attempt.job.may_have_asked:
        raise StripeOutcomeUnknownError(message)
    return waiting(attempt.runtime, attempt.job, kind, message)


def waiting(runtime: Runtime, job: JobRow, kind: str, message: str, *, request_id: str | None = None) -> Outcome:
    """Return the outcome of an attempt that waits, at the pace of attempts that fail.

    Args:
        runtime: its settings tell the pace.
        job: as it was claimed.
        kind: what it waits for, in one word for programs.
        message: the same for operators; no personal data.
        request_id: Stripe's, of the last call.
    """
    settings = runtime.settings.jobs
    pause = backoff(job.attempts, base=settings.backoff_base, cap=settings.backoff_cap, random=runtime.random)
    return Outcome("waiting", delay=pause, error={"type": kind, "message": message}, request_id=request_id)
