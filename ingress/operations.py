"""The operations of the API, as OpenAPI describes them. A test holds them to the routes of the application."""

from typing import Any

from marshmallow import Schema

from ingress import schemas
from ingress.invoice_batches import BatchRequestSchema
from ingress.invoice_schema import InvoiceSchema
from ingress.invoices import InvoiceOperationSchema
from ingress.operation_parts import (
    common_parameters,
    delayed_header,
    header_parameter,
    headers_of_all,
    id_parameter,
    json_body,
    key_parameter,
    prefer_parameter,
    problem_answers,
    tag_parameter,
    text_header,
)
from ingress.outlook import HEADER as HEADER_DELAYED
from ingress.payment_intents import BOOKING, MAXIMUM_BOOKING, PaymentIntentSchema
from ingress.payment_operations import CancelSchema, CaptureSchema, UpdateSchema
from ingress.refunds import RefundRequestSchema
from tasks.contracts.lists import LONGEST

Operation = dict[str, Any]
SECURED: list[dict[str, list[str]]] = [{"apiKey": []}]
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


# Each with what it does, and how its job may be refused.
INVOICE_OPERATIONS = {
    "finalize": ("Make a draft binding", "`invoice_not_ready` or `invoice_void`"),
    "send": (
        "Have Stripe mail an invoice that is owed; a draft is finalized first",
        "`invoice_not_ready`, `invoice_paid`, `invoice_void` or `invoice_uncollectible`",
    ),
    "void": ("Take an invoice back", "`invoice_is_draft` or `invoice_paid`"),
    "mark_uncollectible": ("Give an invoice up", "`invoice_is_draft`, `invoice_paid` or `invoice_void`"),
    "pay_out_of_band": (
        "Take an invoice for paid whose money came past Stripe",
        "`invoice_is_draft`, `invoice_paid` or `invoice_void`",
    ),
}


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
        "/v1/invoices": {"get": _list_invoices(), "post": _create_invoice()},
        "/v1/invoices/batch": {"post": _create_invoice_batch()},
        "/v1/batches/{batch_id}": {"get": _show_batch()},
        "/v1/invoices/{invoice_id}": {"get": _show_invoice()},
        **{f"/v1/invoices/{{invoice_id}}/{verb}": {"post": _change_invoice(verb)} for verb in INVOICE_OPERATIONS},
        "/v1/webhooks/stripe": {"post": _receive_stripe_event()},
        "/v1/openapi.json": {"get": _open("openapi", "This document", json_body("The document", None))},
        "/health/live": {"get": _open("live", "Is the process there?", json_body("It is", schemas.LiveSchema))},
        "/health/ready": {"get": _ready()},
        "/problems/{code}": {"get": _show_problem()},
        "/": {"get": _open("index", "What this is", json_body("It is Tollgate", schemas.IndexSchema))},
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


def _create_invoice() -> Operation:
    return {
        "operationId": "createInvoice",
        "summary": "Ask for an invoice",
        "description": "It is made at Stripe, finalized and mailed, unless it is to stay a draft or is paid already by "
        "a payment on the site. The job is refused with `due_date_past`, `payment_unknown`, `payment_not_paid`, "
        "`payment_differs`, `customer_differs`, `payment_already_invoiced`, `invoice_astray` or `stripe_refused`.",
        **_command(InvoiceSchema, schemas.AcceptedInvoiceSchema),
    }


def _change_invoice(verb: str) -> Operation:
    summary, refusals = INVOICE_OPERATIONS[verb]
    operation = _command(InvoiceOperationSchema, schemas.ChangedInvoiceSchema)
    operation["parameters"] = [id_parameter("invoice_id", "inv"), *operation["parameters"]]
    operation["responses"] |= problem_answers("not_found")
    first, *rest = verb.split("_")
    return {
        "operationId": "".join([first, *(word.capitalize() for word in rest), "Invoice"]),
        "summary": summary,
        "description": f"The job is refused with {refusals}, or with `invoice_unknown`, `invoice_not_made` or "
        "`stripe_refused`. An Idempotency-Key holds for this operation on one invoice. Operations on one invoice are "
        "done in the order of their acceptance, and wait while it is still being made.",
        **operation,
    }


def _create_invoice_batch() -> Operation:
    return {
        "operationId": "createInvoiceBatch",
        "summary": "Ask for up to 500 invoices at once",
        "description": "The body may have 1 MiB. Each line is accepted or refused by itself: the answer tells which; "
        "only a batch without any acceptable line is refused as a whole. Counts once against the rate limit.",
        **_command(BatchRequestSchema, schemas.AcceptedBatchSchema),
    }


def _show_batch() -> Operation:
    return {
        "operationId": "showBatch",
        "summary": "Follow a batch",
        "security": SECURED,
        "parameters": [id_parameter("batch_id", "bat"), prefer_parameter(), *common_parameters()],
        "responses": {
            "200": json_body("The batch, and where each of its invoices stands", schemas.BatchSchema),
            **problem_answers(*KEYED, *MISSED),
        },
    }


def _show_invoice() -> Operation:
    return {
        "operationId": "showInvoice",
        "summary": "Read an invoice",
        "security": SECURED,
        "parameters": [id_parameter("invoice_id", "inv"), tag_parameter(), *common_parameters()],
        "responses": _viewed("The invoice", schemas.InvoiceShownSchema, {}),
    }


def _command_on_payment(asked: type[Schema], accepted: type[Schema]) -> Operation:
    operation = _command(asked, accepted)
    operation["parameters"] = [id_parameter("payment_id", "pay"), *operation["parameters"]]
    operation["responses"] |= problem_answers("not_found")
    return operation


def _command(asked: type[Schema], accepted: type[Schema]) -> Operation:
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


def _show_job() -> Operation:
    headers = {
        "Preference-Applied": text_header("`wait=N`, if the answer waited for the outcome or had it"),
        HEADER_DELAYED: delayed_header(),
    }
    return {
        "operationId": "showJob",
        "summary": "Follow a job",
        "security": SECURED,
        "parameters": [id_parameter("job_id", "job"), prefer_parameter(), tag_parameter(), *common_parameters()],
        "responses": _viewed("The job", schemas.JobSchema, headers),
    }


def _show_payment() -> Operation:
    return {
        "operationId": "showPayment",
        "summary": "Read a payment",
        "security": SECURED,
        "parameters": [id_parameter("payment_id", "pay"), tag_parameter(), *common_parameters()],
        "responses": _viewed("The payment", schemas.PaymentSchema, {}),
    }


def _show_refund() -> Operation:
    return {
        "operationId": "showRefund",
        "summary": "Read a refund",
        "security": SECURED,
        "parameters": [id_parameter("refund_id", "ref"), tag_parameter(), *common_parameters()],
        "responses": _viewed("The refund", schemas.RefundSchema, {}),
    }


def _list_payments() -> Operation:
    return {
        "operationId": "listPayments",
        "summary": "List the payments of a booking or of a customer",
        **_of_somebody(),
        "responses": _listed("Payments, the newest in front", schemas.PaymentListSchema),
    }


def _list_invoices() -> Operation:
    return {
        "operationId": "listInvoices",
        "summary": "List the invoices of a booking or of a customer",
        **_of_somebody(),
        "responses": _listed("Invoices, the newest in front", schemas.InvoiceListSchema),
    }


def _of_somebody() -> Operation:
    booking = {"maxLength": MAXIMUM_BOOKING, "pattern": f"^(?:{BOOKING})$"}
    return {
        "description": "Give either `booking_reference` or `customer_email`. " + LISTED,
        "security": SECURED,
        "parameters": [
            _query("booking_reference", "The booking's reference, as it was sent", **booking),
            _query("customer_email", "The customer's e-mail address, in letters of any case", format="email"),
            *_page(),
        ],
    }


def _list_refunds() -> Operation:
    return {
        "operationId": "listRefunds",
        "summary": "List the refunds of a payment",
        "description": LISTED,
        "security": SECURED,
        "parameters": [id_parameter("payment_id", "pay"), *_page()],
        "responses": _listed("Refunds, the newest in front", schemas.RefundListSchema, "not_found"),
    }


def _page() -> list[Operation]:
    limit = f"How many at once, at most {LONGEST}; a page may hold fewer though there are more"
    return [
        {**_query("limit", limit), "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": 20}},
        _query("cursor", "`next_cursor` of the page before", minLength=1, maxLength=512),
        prefer_parameter(),
        *common_parameters(),
    ]


def _listed(what: str, schema: type[Schema], *more: str) -> Operation:
    return {
        "200": json_body(what, schema),
        **problem_answers(*KEYED, *UNSHOWN, "query_invalid", "cursor_invalid", *more),
    }


def _query(name: str, description: str, **schema: Any) -> Operation:
    return {**header_parameter(name, description, **schema), "in": "query"}


def _viewed(what: str, schema: type[Schema], headers: dict[str, Any]) -> Operation:
    tagged = headers | {"ETag": text_header("Changes when anything changes")}
    return {
        "200": json_body(what, schema, tagged),
        "304": {"description": "Unchanged since If-None-Match", "headers": headers_of_all()},
        **problem_answers(*KEYED, *MISSED),
    }


def _receive_stripe_event() -> Operation:
    signature = header_parameter("Stripe-Signature", "Stripe's signature of the body's bytes", required=True)
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
        "responses": {"200": json_body("Kept", schemas.ReceivedSchema), **problem_answers(*failures)},
    }


def _ready() -> Operation:
    ready = _open("ready", "Can requests be accepted?", json_body("They can", schemas.ReadySchema))
    ready["responses"] |= problem_answers(*NOT_KEPT)
    return ready


def _show_problem() -> Operation:
    page = {"description": "What it means", "content": {"text/plain": {"schema": {"type": "string"}}}}
    operation = _open("showProblem", "What a problem means", page | {"headers": headers_of_all()})
    operation["parameters"] = [
        {"name": "code", "in": "path", "required": True, "schema": {"type": "string"}, "description": "Its code"}
    ]
    operation["responses"] |= problem_answers("not_found")
    return operation


def _open(name: str, summary: str, answer: dict[str, Any]) -> Operation:
    return {"operationId": name, "summary": summary, "security": [], "responses": {"200": answer}}
