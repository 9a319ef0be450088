"""Endings that are nobody's error: too old, cancelled, or the death of its workers."""

from config.errors import StripeOutcomeUnknownError
from config.resolver import GIVE_UP_LOOKING
from tasks.contracts.kinds import kind_of
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.runtime import Runtime


def over(runtime: Runtime, job: JobRow) -> Outcome | None:
    """Return how a job ends that must not be performed any more, else None.

    One that is too old or cancelled, while Stripe may have been asked, is still performed: its service looks a last
    time, sends nothing, and says `unsent` if there is nothing.
    """
    if job.quarantined and job.rescues > runtime.settings.jobs.max_rescues:
        return _dead(job, f"its worker died {job.rescues} times, the last time alone in quarantine")
    if job.stopped_for is None:
        return None
    if not job.may_have_asked:
        return unsent(job)
    if job.stopped_for > GIVE_UP_LOOKING:
        return _dead(job, "whether Stripe did it could not be found out in time")
    return None


def nothing_found(runtime: Runtime, job: JobRow) -> Outcome:
    """Return the end of a job that expired or was cancelled, of which Stripe shows nothing.

    Raises:
        StripeOutcomeUnknownError: if what was sent last may still show up.
    """
    if (job.stopped_for or 0.0) < runtime.settings.jobs.generation_wait:
        raise StripeOutcomeUnknownError("nothing more is sent, and Stripe shows nothing so far: it is looked for again")
    return unsent(job)


def unsent(job: JobRow) -> Outcome:
    """Return the end of a job that expired or was cancelled, of which it is certain that nothing happened at Stripe."""
    if job.cancelling:
        detail = "An operator cancelled it before anything was done."
        return Outcome("cancelled", problem={"code": "cancelled", "detail": detail})
    if not kind_of(job.kind).kept:
        detail = "It came too late to be of use to anybody."
        return Outcome("cancelled", problem={"code": "too_late", "detail": detail})
    return _dead(job, "it was not done within its kind's maximum age", safe=True)


def in_doubt(job: JobRow, message: str) -> Outcome:
    """Return the end of a job of which only an operator can tell whether it happened at Stripe."""
    return _dead(job, message)


def _dead(job: JobRow, message: str, *, safe: bool = False) -> Outcome:
    return Outcome(
        "dead",
        problem={"code": "gave_up", "detail": f"Tollgate gave up: {message}"},
        error={"type": "GaveUp", "message": message},
        # If Stripe was never asked, asking again is safe; a database that was restored does not know for certain.
        verdict="safe_to_replay" if safe or not job.may_have_asked else "reconcile_first",
    )
