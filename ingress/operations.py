"""The operations of the API, as OpenAPI describes them. A test holds them to the routes of the application."""

from typing import Any, get_args

from marshmallow import Schema

from ingress import schemas
from ingress.headers import MAXIMUM_KEY
from ingress.outlook import HEADER as HEADER_DELAYED
from ingress.outlook import Delayed
from ingress.payment_intents import BOOKING, MAXIMUM_BOOKING, PaymentIntentSchema
from ingress.payment_operations import CancelSchema, CaptureSchema, UpdateSchema
from ingress.problems import MEDIA_TYPE, PROBLEMS, ProblemKind
from ingress.refunds import RefundRequestSchema
from ingress.versions import HEADER, VERSIONS
from ingress.waiting import LONGEST_WAIT
from tasks.contracts.lists import LONGEST

Operation = dict[str, Any]
SECURED: list[dict[str, list[str]]] = [{"apiKey": []}]
RETRIED = (429, 503)  # come with Retry-After
REDIS = ("redis_unavailable",)
NOT_KEPT = ("redis_unproven", *REDIS)
_ON_ONE_PAYMENT = (
    "An Idempotency-Key holds for this operation on one payment. Operations on one payment are done in the order of "
    "their acceptance, and wait while the payment is still being made."
)
UNSHOWN = ("rate_limited", "view_unavailable")  # what is not at hand is fetched, within limits
MISSED = ("not_found", *UNSHOWN)
LISTED = (
    "What was accepted a moment ago is listed as soon as a worker has begun with it; until then its own address shows "
    "it. A cursor stays good while newer things come in front."
)
KEYED = ("bad_request", "version_unknown", "unauthenticated", "internal_error", *REDIS)


def operations() -> dict[str, dict[str, Operation]]:
    """Return each path's operations by method."""
    return {
        "/v1/payment-intents": {"post": _create_payment_intent()},
        "/v1/jobs/{job_id}": {"get": _show_job()},
        "/v1/payments/{payment_id}": {"get": _show_payment(), "post": _update_payment()},
        "/v1/payments/{payment_id}/capture": {"post": _capture_payment()},
        "/v1/payments/{payment_id}/cancel": {"post": _cancel_payment()},
        "/v1/payments/{payment_id}/refunds": {"get": _list_refunds(), "post": _create_refund()},
        "/v1/payments": {"get": _list_payments()},
        "/v1/refunds/{refund_id}": {"get": _show_refund()},
        "/v1/webhooks/stripe": {"post": _receive_stripe_event()},
        "/v1/openapi.json": {"get": _open("openapi", "This document", _json("The document", None))},
        "/health/live": {"get": _open("live", "Is the process there?", _json("It is", schemas.LiveSchema))},
        "/health/ready": {"get": _ready()},
        "/problems/{code}": {"get": _show_problem()},
        "/": {"get": _open("index", "What this is", _json("It is Tollgate", schemas.IndexSchema))},
    }


def _create_payment_intent() -> Operation:
    return {
        "operationId": "createPaymentIntent",
        "summary": "Ask for a payment",
        "description": "Repeats count against the rate limit, and get the same job and payment.",
        **_command(PaymentIntentSchema, schemas.AcceptedPaymentSchema),
    }


def _capture_payment() -> Operation:
    return {
        "operationId": "capturePayment",
        "summary": "Take what is held for a payment, or a part of it",
        "description": "Once: the rest is released. If it was captured with the same amount before, the job is done; "
        "it is refused with `payment_not_capturable`, `payment_already_paid`, `amount_too_large`, `payment_unknown` or "
        "`stripe_refused`. " + _ON_ONE_PAYMENT,
        **_command_on_payment(CaptureSchema, schemas.ChangedPaymentSchema),
    }


def _cancel_payment() -> Operation:
    return {
        "operationId": "cancelPayment",
        "summary": "Give a payment up, and release what is held for it",
        "description": "The job is refused with `payment_already_paid`, `payment_not_cancelable`, `payment_unknown` or "
        "`stripe_refused`. " + _ON_ONE_PAYMENT,
        **_command_on_payment(CancelSchema, schemas.ChangedPaymentSchema),
    }


def _update_payment() -> Operation:
    return {
        "operationId": "updatePayment",
        "summary": "Change a payment before it is confirmed",
        "description": "Name what is to be changed. The job is refused with `payment_already_paid`, "
        "`payment_not_updatable`, `amount_too_small`, `amount_not_rounded`, `payment_unknown` or `stripe_refused`. "
        + _ON_ONE_PAYMENT,
        **_command_on_payment(UpdateSchema, schemas.ChangedPaymentSchema),
    }


def _create_refund() -> Operation:
    return {
        "operationId": "createRefund",
        "summary": "Give back a payment, or a part of it",
        "description": "An Idempotency-Key holds for one payment. Whether the payment is there, and what is left of "
        "it, the job finds out: it is refused with `payment_unknown`, `payment_not_paid`, `payment_disputed`, "
        "`already_refunded`, `amount_too_large` or `stripe_refused`, and nothing is given back.",
        **_command_on_payment(RefundRequestSchema, schemas.AcceptedRefundSchema),
    }


def _command_on_payment(asked: type[Schema], accepted: type[Schema]) -> Operation:
    operation = _command(asked, accepted)
    operation["parameters"] = [_id("payment_id", "pay"), *operation["parameters"]]
    operation["responses"] |= _problems("not_found")
    return operation


def _command(asked: type[Schema], accepted: type[Schema]) -> Operation:
    """Return what all operations have in common that leave a job to be done."""
    delayed = {HEADER_DELAYED: _delayed()}
    headers = {
        "Location": _header("Where to follow the job"),
        "Idempotent-Replayed": _header("`true` if this key and body had been accepted before"),
        "Preference-Applied": _header("`wait=N`, if the answer waited for the outcome or had it"),
    }
    return {
        "security": SECURED,
        "parameters": [_idempotency_key(), _prefer(), *_common()],
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": _json(
                "The outcome is there, and final; the job may have been refused: see its status", accepted, headers
            ),
            "202": _json("Accepted, and kept; the outcome is not there yet", accepted, headers | delayed),
            **_problems(
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


def _show_job() -> Operation:
    headers = {
        "Preference-Applied": _header("`wait=N`, if the answer waited for the outcome or had it"),
        HEADER_DELAYED: _delayed(),
    }
    return {
        "operationId": "showJob",
        "summary": "Follow a job",
        "security": SECURED,
        "parameters": [_id("job_id", "job"), _prefer(), _if_none_match(), *_common()],
        "responses": _viewed("The job", schemas.JobSchema, headers),
    }


def _show_payment() -> Operation:
    return {
        "operationId": "showPayment",
        "summary": "Read a payment",
        "security": SECURED,
        "parameters": [_id("payment_id", "pay"), _if_none_match(), *_common()],
        "responses": _viewed("The payment", schemas.PaymentSchema, {}),
    }


def _show_refund() -> Operation:
    return {
        "operationId": "showRefund",
        "summary": "Read a refund",
        "security": SECURED,
        "parameters": [_id("refund_id", "ref"), _if_none_match(), *_common()],
        "responses": _viewed("The refund", schemas.RefundSchema, {}),
    }


def _list_payments() -> Operation:
    booking = {"maxLength": MAXIMUM_BOOKING, "pattern": f"^(?:{BOOKING})$"}
    return {
        "operationId": "listPayments",
        "summary": "List the payments of a booking or of a customer",
        "description": "Give either `booking_reference` or `customer_email`. " + LISTED,
        "security": SECURED,
        "parameters": [
            _query("booking_reference", "The booking's reference, as it was sent", **booking),
            _query("customer_email", "The customer's e-mail address, in letters of any case", format="email"),
            *_page(),
        ],
        "responses": _listed("Payments, the newest in front", schemas.PaymentListSchema),
    }


def _list_refunds() -> Operation:
    return {
        "operationId": "listRefunds",
        "summary": "List the refunds of a payment",
        "description": LISTED,
        "security": SECURED,
        "parameters": [_id("payment_id", "pay"), *_page()],
        "responses": _listed("Refunds, the newest in front", schemas.RefundListSchema, "not_found"),
    }


def _page() -> list[Operation]:
    limit = f"How many at once, at most {LONGEST}; a page may hold fewer though there are more"
    return [
        {**_query("limit", limit), "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": 20}},
        _query("cursor", "`next_cursor` of the page before", minLength=1, maxLength=512),
        _prefer(),
        *_common(),
    ]


def _listed(what: str, schema: type[Schema], *more: str) -> Operation:
    return {"200": _json(what, schema), **_problems(*KEYED, *UNSHOWN, "query_invalid", "cursor_invalid", *more)}


def _query(name: str, description: str, **schema: Any) -> Operation:
    return {**_parameter(name, description, **schema), "in": "query"}


def _viewed(what: str, schema: type[Schema], headers: dict[str, Any]) -> Operation:
    tagged = headers | {"ETag": _header("Changes when anything changes")}
    return {
        "200": _json(what, schema, tagged),
        "304": {"description": "Unchanged since If-None-Match", "headers": _every()},
        **_problems(*KEYED, *MISSED),
    }


def _receive_stripe_event() -> Operation:
    signature = _parameter("Stripe-Signature", "Stripe's signature of the body's bytes", required=True)
    failures = (
        "signature_invalid",
        "event_invalid",
        "body_too_large",
        "acceptance_unknown",
        "webhooks_busy",
        *NOT_KEPT,
    )
    return {
        "operationId": "receiveStripeEvent",
        "summary": "For Stripe alone",
        "security": [],
        "parameters": [signature],
        "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
        "responses": {"200": _json("Kept", schemas.ReceivedSchema), **_problems(*failures)},
    }


def _ready() -> Operation:
    ready = _open("ready", "Can requests be accepted?", _json("They can", schemas.ReadySchema))
    ready["responses"] |= _problems(*NOT_KEPT)
    return ready


def _show_problem() -> Operation:
    page = {"description": "What it means", "content": {"text/plain": {"schema": {"type": "string"}}}}
    operation = _open("showProblem", "What a problem means", page | {"headers": _every()})
    operation["parameters"] = [
        {"name": "code", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its code"}
    ]
    operation["responses"] |= _problems("not_found")
    return operation


def _open(name: str, summary: str, answer: dict[str, Any]) -> Operation:
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}


def _json(description: str, schema: type[Schema] | None, headers: dict[str, Any] | None = None) -> dict[str, Any]:
    content = {"application/json": {"schema": schema if schema is not None else {"type": "object"}}}
    return {"description": description, "headers": (headers or {}) | _every(), "content": content}


def _problems(*codes: str) -> dict[str, Any]:
    by_status: dict[int, list[ProblemKind]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(PROBLEMS[code])
    return {str(status): _either(kinds) for status, kinds in sorted(by_status.items())}


def _either(kinds: list[ProblemKind]) -> dict[str, Any]:
    headers = _every()
    if any(kind.status in RETRIED for kind in kinds):
        headers["Retry-After"] = _header("Seconds")
    examples = {kind.code: {"value": example(kind)} for kind in kinds}
    return {
        "description": " ".join(f"`{kind.code}`: {kind.title}. {kind.advice}" for kind in kinds),
        "headers": headers,
        "content": {MEDIA_TYPE: {"schema": schemas.ProblemSchema, "examples": examples}},
    }


def example(kind: ProblemKind) -> dict[str, Any]:
    """Return a problem as it would be answered."""
    request_id = "req_0123456789abcdef0123456789abcdef"
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.advice,
        "instance": f"urn:tollgate:request:{request_id}",
        "code": kind.code,
        "request_id": request_id,
    }


def _every() -> dict[str, Any]:
    return {
        "X-Request-Id": _header("The request's id: yours, if you sent one, else ours"),
        HEADER: _header("The version of the API that the answer is written in"),
    }


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _delayed() -> dict[str, Any]:
    description = (
        "What processing waits for, if it stands still: the `dispatcher`, the `database` or `stripe`. What is accepted "
        "is kept, and worked on once that is back; tell your customer that it will take longer"
    )
    return {"description": description, "schema": {"type": "string", "enum": list(get_args(Delayed))}}


def _parameter(name: str, description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": description,
        "schema": {"type": "string"} | schema,
    }


def _id(name: str, prefix: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": f"^{prefix}_[a-z2-7]{{26}}$"}
    return {"name": name, "in": "path", "required": True, "description": "Its id", "schema": schema}


def _idempotency_key() -> dict[str, Any]:
    description = "Yours, one for each payment or refund: printable ASCII, bare or as an RFC 8941 string"
    return _parameter("Idempotency-Key", description, required=True, minLength=1, maxLength=MAXIMUM_KEY)


def _prefer() -> dict[str, Any]:
    description = f"`wait=N` (RFC 7240): answer when the outcome is there, or after N seconds, at most {LONGEST_WAIT}"
    return _parameter("Prefer", description)


def _if_none_match() -> dict[str, Any]:
    return _parameter("If-None-Match", "An ETag; the answer is 304 if nothing has changed")


def _common() -> list[dict[str, Any]]:
    return [
        _parameter("X-Request-Id", "Yours, to find the request in both logs", pattern="^[A-Za-z0-9._-]{1,64}$"),
        _parameter(HEADER, "The version of the API to answer in", enum=list(VERSIONS.known)),
    ]
