"""Stripe's errors: what goes wrong, and the envelope it is told in (https://docs.stripe.com/api/errors)."""

from dataclasses import dataclass, field
from typing import Final

from sandbox.simulator.account import ACCOUNT_ID, JsonObject

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
PAYMENT_REQUIRED: Final = 402
NOT_FOUND: Final = 404
CONFLICT: Final = 409
TOO_MANY_REQUESTS: Final = 429
SERVER_ERROR: Final = 500


@dataclass
class ApiError(Exception):
    """A request that Stripe answers with an error.

    ``keeps_effects`` marks an error whose request changed something all the same: a declined card leaves a failed
    charge behind. ``should_retry`` becomes the Stripe-Should-Retry header; None leaves the header out.
    """

    status: int
    message: str
    type: str = "invalid_request_error"
    code: str | None = None
    param: str | None = None
    should_retry: bool | None = False
    keeps_effects: bool = False
    details: JsonObject = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self, request_id: str) -> JsonObject:
        """Return the envelope, leaving out what does not apply, as Stripe does."""
        error: JsonObject = {}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = doc_url(self.code)
        error["message"] = self.message
        if self.param is not None:
            error["param"] = self.param
        error |= self.details
        error["request_log_url"] = f"https://dashboard.stripe.com/{ACCOUNT_ID}/test/logs/{request_id}"
        error["type"] = self.type
        return {"error": error}


def doc_url(code: str) -> str:
    """Return the page of Stripe's documentation about an error code."""
    return f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """Return a 400 for a parameter or state that Stripe refuses."""
    return ApiError(BAD_REQUEST, message, code=code, param=param)


def missing_resource(noun: str, identifier: str, *, param: str, status: int = BAD_REQUEST) -> ApiError:
    """Return Stripe's ``resource_missing``: 404 for an object named by the path, 400 for one named by a parameter."""
    return ApiError(status, f"No such {noun}: '{identifier}'", code="resource_missing", param=param)


def unexpected_state(message: str, intent: JsonObject) -> ApiError:
    """Return the 400 for a PaymentIntent whose status does not allow the request."""
    return ApiError(BAD_REQUEST, message, code="payment_intent_unexpected_state", details={"payment_intent": intent})


def server_error(status: int, *, should_retry: bool) -> ApiError:
    """Return an internal error of Stripe's own."""
    return ApiError(
        status,
        "Sorry! There was an error while talking to one of our backends. Support has been notified.",
        type="api_error",
        should_retry=should_retry,
    )


def rate_limited() -> ApiError:
    """Return the 429 that Stripe sends when an account asks too often (https://docs.stripe.com/rate-limits)."""
    return ApiError(
        TOO_MANY_REQUESTS,
        "Request rate limit exceeded. You can learn more about rate limits here https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        should_retry=None,
        headers={"Stripe-Rate-Limited-Reason": "global-rate"},
    )


def lock_timeout(status: int) -> ApiError:
    """Return the error for an object that another request holds (https://docs.stripe.com/rate-limits#object-lock-timeouts)."""
    return ApiError(
        status,
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
        "it. If you see this error intermittently, retry the request.",
        code="lock_timeout",
        should_retry=True,
    )
