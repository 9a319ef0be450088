"""What a failed call to Stripe means for us: one table from what happened to the project's errors.

The rule behind every row: an error may say "nothing happened" only where Stripe says so. Sources:
https://docs.stripe.com/api/errors, https://docs.stripe.com/error-low-level and
https://docs.stripe.com/api/idempotent_requests (results are stored, 500s included, once an endpoint began to run; not
for requests that failed validation or met one still running).
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

import stripe

from config.errors import (
    StripeDeclinedError,
    StripeError,
    StripeInvalidError,
    StripeKeyReusedError,
    StripeMisconfiguredError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)
from config.retries import LONGEST_RETRY_AFTER
from workers.gateways.transport import NoAnswerError, NotSentError

Method = Literal["GET", "POST"]
# What Stripe's codes and parameter names look like. Anything else might be a customer's words and is not repeated.
_WORD: Final = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}")
# Not done, for reasons outside the request; Stripe counts 424 ("external dependency failed") among its own failures.
_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.FAILED_DEPENDENCY})


@dataclass(frozen=True, slots=True)
class Failure:
    """A call that brought no result, reduced to the facts that decide what it means.

    Args:
        method: how Stripe was asked; a GET has no effect that could be unknown.
        sent: whether any of the request left this machine.
        answered: whether a readable answer of Stripe's came back.
        status: the HTTP status, if there was one.
        should_retry: Stripe's `Stripe-Should-Retry`, None if it gave none.
        cause: the kind of network trouble, or what the answer was.
    """

    method: Method
    sent: bool = True
    answered: bool = True
    status: int | None = None
    type: str | None = None
    code: str | None = None
    decline_code: str | None = None
    param: str | None = None
    should_retry: bool | None = None
    replayed: bool = False
    request_id: str | None = None
    retry_after: float | None = None
    cause: str | None = None

    @property
    def is_stripes_trouble(self) -> bool:
        """Whether Stripe is ill, as against an answer that our request, key or pace has earned."""
        return not self.answered or (self.status is not None and self.status >= HTTPStatus.INTERNAL_SERVER_ERROR)

    @property
    def trouble(self) -> str:
        """The kind of trouble in a few words, to be counted."""
        return f"status {self.status}" if self.status is not None else self.cause or "no answer"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: the first whose `when` holds decides."""

    when: Callable[[Failure], bool]
    post: type[StripeError]
    get: type[StripeError]
    words: str


def _failed_at_stripe(failure: Failure) -> bool:
    status = failure.status
    return status is not None and (status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TRANSIENT)


_SAFE: Final = StripeUnavailableError  # the same request may be sent again
_LOOK: Final = StripeOutcomeUnknownError  # only for a POST; a GET is simply asked again
_SAME_KEY: Final = "the same request under the same key may be sent again"

TABLE: Final[tuple[Row, ...]] = (
    Row(lambda f: not f.sent, _SAFE, _SAFE, "Stripe was not reached, nothing was sent"),
    # Also as a bare 429 from the network before Stripe. A lock timeout is about one object, not about our pace.
    Row(lambda f: f.code == "lock_timeout" and f.should_retry is not False, _SAFE, _SAFE, "Stripe holds the object"),
    Row(
        lambda f: f.status == HTTPStatus.TOO_MANY_REQUESTS or f.code == "rate_limit",
        StripeRateLimitedError,
        StripeRateLimitedError,
        "Stripe asks for fewer requests",
    ),
    Row(lambda f: not f.answered, _LOOK, _SAFE, "the request was sent, but no readable answer came back"),
    # A stored result comes back for ever, whatever the header says.
    Row(lambda f: _failed_at_stripe(f) and f.replayed, _LOOK, _SAFE, "Stripe repeated its stored failure"),
    # "true" means that nothing is stored under the key, so the endpoint never ran.
    Row(lambda f: _failed_at_stripe(f) and f.should_retry is True, _SAFE, _SAFE, f"Stripe failed: {_SAME_KEY}"),
    Row(_failed_at_stripe, _LOOK, _SAFE, "Stripe failed and did not say whether it acted"),
    # A conflict that is stored, or not worth repeating, tells nothing of the request it conflicted with.
    Row(
        lambda f: f.status == HTTPStatus.CONFLICT and (f.replayed or f.should_retry is False),
        _LOOK,
        _SAFE,
        "Stripe reports a conflict that repeating will not solve",
    ),
    # `idempotency_key_in_use`: the first request may still be running; only the same key finds its result.
    Row(lambda f: f.status == HTTPStatus.CONFLICT, _SAFE, _SAFE, f"Stripe is busy with it: {_SAME_KEY}"),
    Row(
        lambda f: f.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN},
        StripeMisconfiguredError,
        StripeMisconfiguredError,
        "Stripe refuses our key: check TOLLGATE_STRIPE_API_KEY and its permissions",
    ),
    # Our own code asked for two things under one key. The first may have taken effect: neither "nothing happened" nor
    # something to repeat.
    Row(
        lambda f: f.type == "idempotency_error",
        StripeKeyReusedError,
        StripeKeyReusedError,
        "the idempotency key was used before with other parameters: compare the earlier request in Stripe's dashboard",
    ),
    Row(
        lambda f: f.status == HTTPStatus.PAYMENT_REQUIRED or f.type == "card_error",
        StripeDeclinedError,
        StripeDeclinedError,
        "the card was declined",
    ),
    Row(lambda f: f.should_retry is True, _SAFE, _SAFE, f"Stripe could not do it now: {_SAME_KEY}"),
    Row(
        lambda f: f.status is not None and HTTPStatus.BAD_REQUEST <= f.status < HTTPStatus.INTERNAL_SERVER_ERROR,
        StripeInvalidError,
        StripeInvalidError,
        "Stripe refused the request as wrong",
    ),
    Row(lambda _: True, _LOOK, _SAFE, "Stripe's answer cannot be understood"),
)


def failure_of(error: stripe.StripeError, method: Method) -> Failure:
    """Return the facts of an error that stripe-python or the transport raised."""
    body = error.json_body
    details = body.get("error") if isinstance(body, Mapping) else None
    details = details if isinstance(details, Mapping) else {}
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return Failure(
        method=method,
        sent=not isinstance(error, NotSentError),
        answered=not isinstance(error, NoAnswerError) and error.http_status is not None,
        status=error.http_status,
        type=_word(details.get("type")),
        code=_word(details.get("code")),
        decline_code=_word(details.get("decline_code")),
        param=_word(details.get("param")),
        should_retry={"true": True, "false": False}.get(headers.get("stripe-should-retry", "")),
        replayed=is_replayed(headers),
        request_id=headers.get("request-id"),
        retry_after=_seconds(headers.get("retry-after")),
        cause=error.reason if isinstance(error, NoAnswerError) else None,
    )


def stripe_error(failure: Failure) -> StripeError:
    """Return the error of ours that a failure means; its words hold no personal data."""
    row = next(row for row in TABLE if row.when(failure))
    facts = {
        "status": failure.status,
        "code": failure.decline_code or failure.code,
        "parameter": failure.param,
        "cause": failure.cause,
    }
    known = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
    return (row.get if failure.method == "GET" else row.post)(
        f"{row.words} ({known})" if known else row.words,
        code=failure.decline_code or failure.code,
        request_id=failure.request_id,
        retry_after=failure.retry_after,
        replayed=failure.replayed,
    )


def is_replayed(headers: Mapping[str, str]) -> bool:
    """Return whether lower-case headers mark an answer as the stored result of an earlier request."""
    return headers.get("idempotent-replayed") == "true"


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _seconds(value: str | None) -> float | None:
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(seconds, LONGEST_RETRY_AFTER) if math.isfinite(seconds) and seconds >= 0 else None
