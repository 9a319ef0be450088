"""The shapes that operations of the API share: commands, things that are read, and lists."""

from typing import Any

from marshmallow import Schema

from ingress.operation_parts import (
    common_parameters,
    delayed_header,
    header_parameter,
    headers_of_all,
    json_body,
    key_parameter,
    prefer_parameter,
    problem_answers,
    text_header,
)
from ingress.outlook import HEADER as HEADER_DELAYED
from ingress.payment_intents import BOOKING, MAXIMUM_BOOKING
from tasks.contracts.lists import LONGEST

Operation = dict[str, Any]
SECURED: list[dict[str, list[str]]] = [{"apiKey": []}]
REDIS = ("redis_unavailable",)
NOT_KEPT = ("redis_unproven", *REDIS)
UNSHOWN = ("rate_limited", "view_unavailable")  # what is not at hand is fetched, within limits
MISSED = ("not_found", *UNSHOWN)
LISTED = (
    "What was accepted a moment ago is listed as soon as a worker has begun with it; until then its own address shows "
    "it. A cursor stays good while newer things come in front."
)
KEYED = ("bad_request", "version_unknown", "unauthenticated", "internal_error", *REDIS)


def command(asked: type[Schema], accepted: type[Schema]) -> Operation:
    """Return what all operations have in common that leave a job to be done."""
    delayed = {HEADER_DELAYED: delayed_header()}
    headers = {
        "Location": text_header("Where to follow the job"),
        "Idempotent-Replayed": text_header("`true` if this key and body had been accepted before"),
        "Preference-Applied": text_header("`wait=N`, if the answer waited for the outcome or had it"),
    }
    return {
        "security": SECURED,
        "parameters": [key_parameter(), prefer_parameter(), *common_parameters()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": json_body(
                "The outcome is there, and final; the job may have been refused: see its status", accepted, headers
            ),
            "202": json_body("Accepted, and kept; the outcome is not there yet", accepted, headers | delayed),
            **problem_answers(
                *KEYED,
                "malformed_body",
                "idempotency_key_missing",
                "idempotency_key_invalid",
                "body_too_large",
                "unsupported_media_type",
                "validation_failed",
                "card_number_refused",
                "idempotency_key_reused",
                "rate_limited",
                "acceptance_unknown",
                "redis_unproven",
            ),
        },
    }


def of_somebody() -> Operation:
    """Return how one names whose things are wanted."""
    booking = {"maxLength": MAXIMUM_BOOKING, "pattern": f"^(?:{BOOKING})$"}
    return {
        "description": "Give either `booking_reference` or `customer_email`. " + LISTED,
        "security": SECURED,
        "parameters": [
            query("booking_reference", "The booking's reference, as it was sent", **booking),
            query("customer_email", "The customer's e-mail address, in letters of any case", format="email"),
            *page(),
        ],
    }


def page() -> list[Operation]:
    """Return the parameters by which a list is read piece by piece."""
    limit = f"How many at once, at most {LONGEST}; a page may hold fewer though there are more"
    return [
        {**query("limit", limit), "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": 20}},
        query("cursor", "`next_cursor` of the page before", minLength=1, maxLength=512),
        prefer_parameter(),
        *common_parameters(),
    ]


def listed(what: str, schema: type[Schema], *more: str) -> Operation:
    """Return the answers of a list."""
    return {
        "200": json_body(what, schema),
        **problem_answers(*KEYED, *UNSHOWN, "query_invalid", "cursor_invalid", *more),
    }


def query(name: str, description: str, **schema: Any) -> Operation:
    """Return a parameter of the query."""
    return {**header_parameter(name, description, **schema), "in": "query"}


def viewed(what: str, schema: type[Schema], headers: dict[str, Any]) -> Operation:
    """Return the answers of one thing that is read."""
    tagged = headers | {"ETag": text_header("Changes when anything changes")}
    return {
        "200": json_body(what, schema, tagged),
        "304": {"description": "Unchanged since If-None-Match", "headers": headers_of_all()},
        **problem_answers(*KEYED, *MISSED),
    }
