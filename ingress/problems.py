"""Problems: every answer that is no success, in the form of RFC 9457, with a code that never changes its meaning."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Response

from config.errors import TollgateError
from config.logs import bound

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: its code is for programs, its title and advice are for people."""

    code: str
    status: int
    title: str
    advice: str

    @property
    def type(self) -> str:
        """The problem's type: a relative URI that leads to its page."""
        return f"/problems/{self.code}"


_REPEAT = "Repeat the request with the same Idempotency-Key after the time in Retry-After."
_ALL = (
    ProblemKind("bad_request", 400, "The request cannot be understood", "Correct the request as the detail says."),
    ProblemKind(
        "malformed_body", 400, "The body is not acceptable JSON", "Correct the body: `errors` names each place."
    ),
    ProblemKind("idempotency_key_missing", 400, "Idempotency-Key is missing", "Send an Idempotency-Key of your own."),
    ProblemKind(
        "idempotency_key_invalid",
        400,
        "Idempotency-Key is malformed",
        "Send one, of 1 to 255 printable ASCII characters, bare or as a quoted string (RFC 8941). Commas need quotes.",
    ),
    ProblemKind("version_unknown", 400, "This API version does not exist", "Leave Tollgate-Version out, or name one."),
    ProblemKind("signature_invalid", 400, "The signature is not valid", "Sign the body with the endpoint's secret."),
    ProblemKind("event_invalid", 400, "The body is no Stripe event", "Send the event as Stripe made it."),
    ProblemKind("query_invalid", 400, "The query is not acceptable", "Correct the parameters that `errors` names."),
    ProblemKind("cursor_invalid", 400, "The cursor is not of this list", "Begin again without a cursor."),
    ProblemKind("unauthenticated", 401, "A valid API key is required", "Send `Authorization: Bearer <your API key>`."),
    ProblemKind("not_found", 404, "There is nothing here", "Check the address and the id."),
    ProblemKind("method_not_allowed", 405, "This method is not for this address", "Use a method named in Allow."),
    ProblemKind("body_too_large", 413, "The body is too large", "Send a smaller body: the detail names the limit."),
    ProblemKind(
        "unsupported_media_type",
        415,
        "The body is not declared as plain JSON",
        "Send Content-Type: application/json, and no Content-Encoding.",
    ),
    ProblemKind("validation_failed", 422, "A field is not acceptable", "Correct the fields that `errors` names."),
    ProblemKind(
        "card_number_refused",
        422,
        "Card numbers are refused",
        "Never send card numbers: cards are given to Stripe alone, by Stripe.js with the client secret.",
    ),
    ProblemKind(
        "idempotency_key_reused",
        422,
        "Idempotency-Key was used for another body",
        "Use a new Idempotency-Key for a new request, or repeat the first body.",
    ),
    ProblemKind("rate_limited", 429, "Too many requests", "Wait for the seconds in Retry-After."),
    ProblemKind("internal_error", 500, "Something went wrong here", _REPEAT + " Tell us the request_id."),
    ProblemKind("redis_unavailable", 503, "Requests cannot be accepted just now", "Nothing was accepted. " + _REPEAT),
    ProblemKind("redis_unproven", 503, "Requests cannot be accepted just now", "Nothing was accepted. " + _REPEAT),
    ProblemKind("acceptance_unknown", 503, "It is not known whether this was accepted", _REPEAT),
    ProblemKind("webhooks_busy", 503, "Too many webhooks are under way", "Deliver it again after Retry-After."),
    ProblemKind("view_unavailable", 503, "The current state cannot be read", "Ask again after Retry-After."),
)
PROBLEMS: Mapping[str, ProblemKind] = {kind.code: kind for kind in _ALL}


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field.

    Args:
        field: a JSON pointer (RFC 6901) into the body; empty for the body itself.
        code: for programs.
        message: for people; never holds the value.
    """

    field: str
    code: str
    message: str


class ProblemError(TollgateError):
    """The request is answered with a problem."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.kind = PROBLEMS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def problem_response(error: ProblemError) -> Response:
    """Write a problem as an answer."""
    request_id = bound().get("request_id", "")
    body: dict[str, object] = {
        "type": error.kind.type,
        "title": error.kind.title,
        "status": error.kind.status,
        "detail": error.detail,
        "instance": f"urn:tollgate:request:{request_id}",
        "code": error.kind.code,
        "request_id": request_id,
    }
    if error.errors:
        body["errors"] = [{"field": e.field, "code": e.code, "message": e.message} for e in error.errors]
    return Response(
        json.dumps(body, ensure_ascii=False), status=error.kind.status, mimetype=MEDIA_TYPE, headers=error.headers
    )
