from __future__ import annotations

from typing import Any

import pytest
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
from workers.gateways.classing import TABLE, Failure, failure_of, stripe_error
from workers.gateways.transport import AnswerLostError, NotSentError

Declined, Invalid, Misconfigured = StripeDeclinedError, StripeInvalidError, StripeMisconfiguredError
KeyReused = StripeKeyReusedError
Unknown, Unavailable, RateLimited = StripeOutcomeUnknownError, StripeUnavailableError, StripeRateLimitedError

# (the row of the table, what happened, what a POST means, what a GET means)
CASES: list[tuple[int, dict[str, Any], type[StripeError], type[StripeError]]] = [
    (0, {"sent": False, "answered": False}, Unavailable, Unavailable),
    (1, {"status": 409, "code": "lock_timeout", "should_retry": True}, Unavailable, Unavailable),
    (1, {"status": 429, "code": "lock_timeout"}, Unavailable, Unavailable),
    (2, {"status": 429, "code": "rate_limit"}, RateLimited, RateLimited),
    (2, {"status": 429, "answered": False}, RateLimited, RateLimited),
    (2, {"status": 429, "should_retry": False}, RateLimited, RateLimited),
    (2, {"status": 400, "code": "rate_limit"}, RateLimited, RateLimited),
    (3, {"answered": False}, Unknown, Unavailable),
    (3, {"answered": False, "status": 200}, Unknown, Unavailable),
    (3, {"answered": False, "status": 302}, Unknown, Unavailable),
    (3, {"answered": False, "status": 403}, Unknown, Unavailable),
    (3, {"answered": False, "status": 502, "should_retry": True}, Unknown, Unavailable),
    (4, {"status": 500, "replayed": True}, Unknown, Unavailable),
    (4, {"status": 500, "replayed": True, "should_retry": True}, Unknown, Unavailable),
    (5, {"status": 500, "should_retry": True}, Unavailable, Unavailable),
    (5, {"status": 503, "should_retry": True}, Unavailable, Unavailable),
    (6, {"status": 500}, Unknown, Unavailable),
    (6, {"status": 500, "should_retry": False}, Unknown, Unavailable),
    (6, {"status": 503, "should_retry": False}, Unknown, Unavailable),
    (6, {"status": 424, "code": "dependency_failed"}, Unknown, Unavailable),
    (6, {"status": 408}, Unknown, Unavailable),
    (7, {"status": 409, "should_retry": False}, Unknown, Unavailable),
    (7, {"status": 409, "code": "lock_timeout", "should_retry": False}, Unknown, Unavailable),
    (7, {"status": 409, "replayed": True}, Unknown, Unavailable),
    (8, {"status": 409, "code": "idempotency_key_in_use", "type": "idempotency_error"}, Unavailable, Unavailable),
    (8, {"status": 409}, Unavailable, Unavailable),
    (9, {"status": 401}, Misconfigured, Misconfigured),
    (9, {"status": 403, "should_retry": True}, Misconfigured, Misconfigured),
    (10, {"status": 400, "type": "idempotency_error"}, KeyReused, KeyReused),
    (10, {"status": 400, "type": "idempotency_error", "should_retry": False}, KeyReused, KeyReused),
    (11, {"status": 402, "type": "card_error", "code": "card_declined"}, Declined, Declined),
    (11, {"status": 402, "type": "card_error", "replayed": True}, Declined, Declined),
    (12, {"status": 400, "should_retry": True}, Unavailable, Unavailable),
    (13, {"status": 400, "type": "invalid_request_error", "code": "amount_too_small"}, Invalid, Invalid),
    (13, {"status": 404, "code": "resource_missing"}, Invalid, Invalid),
    (13, {"status": 400, "replayed": True}, Invalid, Invalid),
    (14, {"status": 302}, Unknown, Unavailable),
    (14, {"status": None}, Unknown, Unavailable),
]


def name(case: Any) -> str | None:
    return " ".join(f"{key}={value}" for key, value in case.items()) if isinstance(case, dict) else None


@pytest.mark.parametrize(("row", "facts", "post", "get"), CASES, ids=name)
def test_each_failure_has_its_meaning(
    row: int, facts: dict[str, Any], post: type[StripeError], get: type[StripeError]
) -> None:
    for failure, expected in ((Failure("POST", **facts), post), (Failure("GET", **facts), get)):
        assert next(number for number, each in enumerate(TABLE) if each.when(failure)) == row
        assert type(stripe_error(failure)) is expected


def test_every_row_of_the_table_has_a_case() -> None:
    assert {row for row, *_ in CASES} == set(range(len(TABLE)))


def test_an_outcome_is_never_unknown_for_a_request_without_effect() -> None:
    assert Unknown not in {row.get for row in TABLE}


def test_nothing_that_may_have_had_an_effect_reads_as_refused() -> None:
    for _, facts, post, _ in CASES:
        if post in {Invalid, Declined}:
            assert 400 <= facts["status"] < 500


def api_error(status: int, headers: dict[str, str] | None = None, **fields: Any) -> stripe.StripeError:
    return stripe.StripeError("words of Stripe's", "{}", status, {"error": fields}, headers or {})


def test_all_that_an_operator_needs_is_kept() -> None:
    error = stripe_error(
        failure_of(
            api_error(
                402,
                {"Request-Id": "req_7", "Idempotent-Replayed": "true", "Retry-After": "3"},
                type="card_error",
                code="card_declined",
                decline_code="insufficient_funds",
                param="payment_method",
            ),
            "POST",
        )
    )
    assert isinstance(error, Declined)
    assert (error.code, error.request_id, error.replayed, error.retry_after) == ("insufficient_funds", "req_7", True, 3)
    assert str(error) == "the card was declined (status 402, code insufficient_funds, parameter payment_method)"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2.0), ("0.5", 0.5), ("99999999", 3600.0), ("-1", None), ("nan", None), ("inf", None), ("soon", None)],
)
def test_only_a_sensible_wait_is_taken_over(text: str, seconds: float | None) -> None:
    assert failure_of(api_error(429, {"Retry-After": text}), "GET").retry_after == seconds


@pytest.mark.parametrize(
    ("text", "meaning"), [("true", True), ("false", False), ("perhaps", None), ("", None), ("TRUE", None)]
)
def test_should_retry_is_read_to_the_letter(text: str, meaning: bool | None) -> None:
    assert failure_of(api_error(500, {"stripe-should-retry": text}), "POST").should_retry is meaning


def test_words_of_the_customers_are_not_repeated() -> None:
    error = stripe_error(
        failure_of(
            api_error(
                400,
                type="invalid_request_error",
                code="Jane Doe",
                param="metadata[jane@example.com]",
                message="Invalid email address: jane@example",
            ),
            "POST",
        )
    )
    assert str(error) == "Stripe refused the request as wrong (status 400)"
    assert error.code is None
    assert error.args == (str(error),)


@pytest.mark.parametrize("body", [None, [], "text", {"error": None}, {"error": "text"}, {"error": {"code": {}}}])
def test_a_strange_error_body_is_classed_by_its_status(body: Any) -> None:
    strange = stripe.StripeError("words", "{}", 500, body, {})
    assert isinstance(stripe_error(failure_of(strange, "POST")), Unknown)


@pytest.mark.parametrize(
    ("error", "post"),
    [
        (NotSentError("NameResolutionError"), Unavailable),
        (AnswerLostError("ReadTimeoutError"), Unknown),
        (AnswerLostError("the answer is not Stripe's", 502, {"Request-Id": "req_9"}), Unknown),
        (AnswerLostError("the answer is not Stripe's", 400), Unknown),
        (AnswerLostError("the answer is not Stripe's", 200), Unknown),
    ],
)
def test_network_trouble_is_named(error: Any, post: type[StripeError]) -> None:
    failure = failure_of(error, "POST")
    assert failure.is_stripes_trouble
    assert error.reason in str(stripe_error(failure))
    assert type(stripe_error(failure)) is post


@pytest.mark.parametrize(
    ("status", "trouble"), [(400, False), (402, False), (409, False), (429, False), (500, True), (503, True)]
)
def test_only_failures_of_stripes_own_are_its_trouble(status: int, trouble: bool) -> None:
    assert failure_of(api_error(status), "POST").is_stripes_trouble is trouble
