"""What becomes of errors: each is answered with a problem, and none tells a stranger anything."""

import logging
import traceback

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from config.errors import RedisAwayError
from ingress.problems import ProblemError, problem_response
from ingress.redis_gate import GateClosedError

SOON = {"Retry-After": "1"}  # seconds; the gate to Redis opens again after one
INTERNAL = 500

log = logging.getLogger(__name__)


def answer_failures(app: Flask) -> None:
    """Make the application answer every error with a problem."""
    app.register_error_handler(ProblemError, problem_response)
    app.register_error_handler(RedisAwayError, _redis_away)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def _redis_away(error: RedisAwayError) -> Response:
    # What the gate keeps off may be hundreds a second, each of which has a line of its own that says 503.
    log.log(logging.DEBUG if isinstance(error, GateClosedError) else logging.WARNING, "Redis is away: %s", error)
    detail = "Nothing was accepted. Repeat the request with the same Idempotency-Key."
    return problem_response(ProblemError("redis_unavailable", detail, headers=SOON))


def _http(error: HTTPException) -> Response:
    if isinstance(error, NotFound):
        return problem_response(ProblemError("not_found", "There is nothing at this address."))
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        detail = f"This address answers to: {allowed}."
        return problem_response(ProblemError("method_not_allowed", detail, headers={"Allow": allowed}))
    if isinstance(error, RequestEntityTooLarge):
        return problem_response(ProblemError("body_too_large", "The body is too large."))
    if error.code is not None and error.code < INTERNAL:
        return problem_response(ProblemError("bad_request", "The request is not acceptable HTTP."))
    return _unforeseen(error)


def _unforeseen(error: Exception) -> Response:
    # Without the exception's own words: they may quote what a person sent. Type and lines say where to look.
    log.error(
        "an unforeseen error",
        extra={"error": type(error).__name__, "trace": "".join(traceback.format_tb(error.__traceback__))},
    )
    detail = "The error was noted under this request_id."
    return problem_response(ProblemError("internal_error", detail, headers=SOON))
