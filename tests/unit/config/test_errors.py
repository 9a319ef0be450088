"""One tree of errors, each of which says what happened even when raised without words."""

from __future__ import annotations

import inspect

import pytest

from config import errors
from config.errors import StripeDeclinedError, StripeRateLimitedError, StripeUnavailableError, TollgateError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value)]


@pytest.mark.parametrize("kind", CLASSES)
def test_an_error_without_words_says_its_docstrings_first_line(kind: type[TollgateError]) -> None:
    assert issubclass(kind, TollgateError)
    message = str(kind())
    assert message == (kind.__doc__ or "").strip().splitlines()[0]
    assert message.endswith(".")


def test_words_replace_the_docstring() -> None:
    assert str(TollgateError("Redis is full")) == "Redis is full"


def test_an_error_of_stripe_carries_what_an_operator_needs() -> None:
    error = StripeDeclinedError(
        "declined", code="insufficient_funds", request_id="req_1", retry_after=2.0, replayed=True
    )
    assert (error.code, error.request_id, error.retry_after, error.replayed) == (
        "insufficient_funds",
        "req_1",
        2.0,
        True,
    )


def test_a_decline_is_no_outage_and_a_rate_limit_is_one() -> None:
    assert not issubclass(StripeDeclinedError, StripeUnavailableError)
    assert issubclass(StripeRateLimitedError, StripeUnavailableError)
