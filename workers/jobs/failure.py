"""What an error makes of an attempt: refused, waiting, checking or snoozed."""

from collections.abc import Callable

from config.breaker import PROBE_UNDER_WAY
from config.errors import (
    BreakerOpenError,
    DuplicatePaymentError,
    StripeDeclinedError,
    StripeError,
    StripeInvalidError,
    StripeKeyReusedError,
    StripeMisconfiguredError,
    StripeOutcomeUnknownError,
    TollgateError,
)
from config.resolver import next_look
from config.retries import LEAST_OF_A_LOOK, MISCONFIGURED
from config.settings import JobSettings
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.resilience.backoff import backoff, snooze


def outcome_of(
    error: Exception,
    job: JobRow,
    settings: JobSettings,
    random: Callable[[], float],
    *,
    intended: bool = False,
    had_effect: bool = False,
) -> Outcome:
    """Return what becomes of an attempt that ended in this error.

    A refusal is only for errors which prove that nothing happened. Whatever may have happened is `checking`; whatever
    surely did not is tried again.

    Args:
        error: what it ended in.
        job: as it was claimed.
        settings: the pace of attempts.
        random: returns a number from 0 (included) to 1.
        intended: whether this attempt committed an intent. Then only an error of Stripe's own tells that nothing
            happened: any other may have come after the answer.
        had_effect: whether a step before the one that failed was done.
    """
    described = describe(error)
    request_id = error.request_id if isinstance(error, StripeError) else None
    if isinstance(error, StripeInvalidError | StripeDeclinedError):
        problem = {"code": "stripe_refused", "detail": f"Stripe refused the request: {error.code or 'no code given'}"}
        return Outcome("refused", problem=problem, error=described, request_id=request_id)
    if isinstance(error, StripeKeyReusedError):
        problem = {"code": "gave_up", "detail": "Tollgate asked Stripe for two things under one key: staff must look."}
        return Outcome("dead", problem=problem, error=described, verdict="reconcile_first", request_id=request_id)
    if isinstance(error, DuplicatePaymentError) and not (intended or job.may_have_asked):
        return duplicate(error)
    nothing_happened = isinstance(error, StripeError) and not isinstance(error, StripeOutcomeUnknownError)
    certain = nothing_happened or not (intended or isinstance(error, StripeOutcomeUnknownError))
    state = "waiting" if certain and not (job.may_have_asked or had_effect) else "checking"
    return Outcome(
        state,
        delay=_delay(error, job, settings, random, state),
        error=described,
        counts=not isinstance(error, BreakerOpenError),
        request_id=request_id,
    )


def _delay(error: Exception, job: JobRow, settings: JobSettings, random: Callable[[], float], state: str) -> float:
    retry_after = error.retry_after if isinstance(error, StripeError) else None
    if isinstance(error, StripeMisconfiguredError):
        return MISCONFIGURED
    if isinstance(error, BreakerOpenError):
        return snooze(PROBE_UNDER_WAY if retry_after is None else retry_after, random=random)
    if state == "checking":
        # What is stopped ends as soon as nothing has been found for long enough, however old the doubt is.
        age = (job.intent_age or 0.0) if job.stopped_for is None else min(job.intent_age or 0.0, job.stopped_for)
        pause = next_look(age) * (LEAST_OF_A_LOOK + (1 - LEAST_OF_A_LOOK) * random())
        return max(pause, retry_after or 0.0)
    return backoff(
        job.attempts, base=settings.backoff_base, cap=settings.backoff_cap, random=random, retry_after=retry_after
    )


def duplicate(error: DuplicatePaymentError) -> Outcome:
    """Return the refusal of a payment beside which its booking has another."""
    return Outcome("refused", problem={"code": "duplicate_payment", "detail": str(error)}, error=describe(error))


def describe(error: Exception) -> dict[str, str]:
    """Return an error as operators see it. Only our own messages are kept: others may quote personal data."""
    name = type(error).__name__
    if not isinstance(error, TollgateError):
        return {"type": name, "message": f"unexpected {name}: see the worker's log"}
    described = {"type": name, "message": str(error)}
    if isinstance(error, StripeError) and error.code:
        described["code"] = error.code
    if isinstance(error, StripeError) and error.request_id:
        described["stripe_request_id"] = error.request_id
    if isinstance(error, StripeError) and error.replayed:
        described["replayed"] = "true"  # `claim` reads it
    return described
