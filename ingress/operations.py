"""The operations of the API, as OpenAPI describes them. A test holds them to the routes of the application."""

from typing import Any

from marshmallow import Schema

from ingress import schemas
from ingress.evidence import EvidenceSchema
from ingress.invoice_operations import invoice_operations
from ingress.operation_parts import (
    common_parameters,
    delayed_header,
    header_parameter,
    headers_of_all,
    id_parameter,
    json_body,
    prefer_parameter,
    problem_answers,
    tag_parameter,
    text_header,
)
from ingress.operation_shapes import (
    LISTED,
    NOT_KEPT,
    SECURED,
    Operation,
    command,
    listed,
    of_somebody,
    page,
    viewed,
)
from ingress.outlook import HEADER as HEADER_DELAYED
from ingress.payment_intents import PaymentIntentSchema
from ingress.payment_operations import CancelSchema, CaptureSchema, UpdateSchema
from ingress.refunds import RefundRequestSchema

ON_ONE_PAYMENT = (
    "An Idempotency-Key holds for this operation on one payment. Operations on one payment are done in the order of "
    "their acceptance, and wait while the payment is still being made."
)


def operations() -> dict[str, dict[str, Operation]]:
    """Return each path's operations by method."""
    return {
        "/v1/payment-intents": {"post": _create_payment_intent()},
        "/v1/jobs/{job_id}": {"get": _show_job()},
        "/v1/payments/{payment_id}": {"get": _show_payment(), "post": _update_payment()},
        "/v1/payments/{payment_id}/capture": {"post": _capture_payment()},
        "/v1/payments/{payment_id}/cancel": {"post": _cancel_payment()},
        "/v1/payments/{payment_id}/evidence": {"post": _keep_evidence()},
        "/v1/payments/{payment_id}/refunds": {"get": _list_refunds(), "post": _create_refund()},
        "/v1/payments": {"get": _list_payments()},
        "/v1/refunds/{refund_id}": {"get": _show_refund()},
        **invoice_operations(),
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
        **command(PaymentIntentSchema, schemas.AcceptedPaymentSchema),
    }


def _capture_payment() -> Operation:
    return {
        "operationId": "capturePayment",
        "summary": "Take what is held for a payment, or a part of it",
        "description": "Once: the rest is released. If it was captured with the same amount before, the job is done; "
        "it is refused with `payment_not_capturable`, `payment_already_paid`, `amount_too_large`, `payment_unknown` or "
        "`stripe_refused`. " + ON_ONE_PAYMENT,
        **_command_on_payment(CaptureSchema, schemas.ChangedPaymentSchema),
    }


def _cancel_payment() -> Operation:
    return {
        "operationId": "cancelPayment",
        "summary": "Give a payment up, and release what is held for it",
        "description": "The job is refused with `payment_already_paid`, `payment_not_cancelable`, `payment_unknown` or "
        "`stripe_refused`. " + ON_ONE_PAYMENT,
        **_command_on_payment(CancelSchema, schemas.ChangedPaymentSchema),
    }


def _update_payment() -> Operation:
    return {
        "operationId": "updatePayment",
        "summary": "Change a payment before it is confirmed",
        "description": "Name what is to be changed. The job is refused with `payment_already_paid`, "
        "`payment_not_updatable`, `update_overtaken`, `amount_too_small`, `amount_not_rounded`, `payment_unknown` or "
        "`stripe_refused`. " + ON_ONE_PAYMENT,
        **_command_on_payment(UpdateSchema, schemas.ChangedPaymentSchema),
    }


def _keep_evidence() -> Operation:
    return {
        "operationId": "keepEvidence",
        "summary": "Keep what shows that a payment was rightful, for the day on which a bank disputes it",
        "description": "An Idempotency-Key holds for evidence of one payment. Nothing is sent to Stripe before an "
        "operator says so. The job is refused with `payment_unknown`, and nothing is kept.",
        **_command_on_payment(EvidenceSchema, schemas.ChangedPaymentSchema),
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
    operation = command(asked, accepted)
    operation["parameters"] = [id_parameter("payment_id", "pay"), *operation["parameters"]]
    operation["responses"] |= problem_answers("not_found")
    return operation


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
        "responses": viewed("The job", schemas.JobSchema, headers),
    }


def _show_payment() -> Operation:
    return {
        "operationId": "showPayment",
        "summary": "Read a payment",
        "security": SECURED,
        "parameters": [id_parameter("payment_id", "pay"), tag_parameter(), *common_parameters()],
        "responses": viewed("The payment", schemas.PaymentSchema, {}),
    }


def _show_refund() -> Operation:
    return {
        "operationId": "showRefund",
        "summary": "Read a refund",
        "security": SECURED,
        "parameters": [id_parameter("refund_id", "ref"), tag_parameter(), *common_parameters()],
        "responses": viewed("The refund", schemas.RefundSchema, {}),
    }


def _list_payments() -> Operation:
    return {
        "operationId": "listPayments",
        "summary": "List the payments of a booking or of a customer",
        **of_somebody(),
        "responses": listed("Payments, the newest in front", schemas.PaymentListSchema),
    }


def _list_refunds() -> Operation:
    return {
        "operationId": "listRefunds",
        "summary": "List the refunds of a payment",
        "description": LISTED,
        "security": SECURED,
        "parameters": [id_parameter("payment_id", "pay"), *page()],
        "responses": listed("Refunds, the newest in front", schemas.RefundListSchema, "not_found"),
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
