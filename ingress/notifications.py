"""Notifications as the OpenAPI document describes them to the website that hears them; workers send them."""

from collections.abc import Mapping
from typing import Any

from apispec import APISpec
from marshmallow import fields, validate

from ingress import invoice_answers, schemas
from ingress.answer_fields import Answer
from ingress.invoice_answers import INVOICE_STATUSES
from ingress.schemas import PAYMENT_STATUSES, REFUND_STATUSES

FLAGGED_TYPES = ("payment.duplicate", "payment.fraud_warning", "payment.late")
PAYMENT_TYPES = (*(f"payment.{status}" for status in PAYMENT_STATUSES), *FLAGGED_TYPES)
REFUND_TYPES = tuple(f"refund.{status}" for status in REFUND_STATUSES)
INVOICE_TYPES = tuple(f"invoice.{status}" for status in INVOICE_STATUSES)
HEADERS = {
    "webhook-id": "The message's id, the same whenever it is sent again",
    "webhook-timestamp": "When it was sent, in seconds since 1970",
    "webhook-signature": "`v1,` and the signature; two with a space between while the secret is rotated",
}
ABOUT = (
    "Sent to the client's endpoints by Standard Webhooks (https://www.standardwebhooks.com), again until a 2xx "
    "answers, for three days at most, in no order. Verify the signature, take each `webhook-id` once, answer soon."
)


class NotifiedPaymentSchema(schemas.PaymentSchema):
    """A payment as it stood when the notification was left; without its client secret."""

    class Meta(schemas.PaymentSchema.Meta):
        """Leaves out what lets its holder pay."""

        exclude = ("client_secret",)


class PaymentNotificationSchema(Answer):
    """What became of a payment."""

    type = fields.String(
        required=True,
        validate=validate.OneOf(PAYMENT_TYPES),
        metadata={"description": "`payment.` and its new status, or what was noticed about it"},
    )
    timestamp = fields.String(required=True, metadata={"description": "When it happened", "format": "date-time"})
    data = fields.Nested(NotifiedPaymentSchema, required=True)


class RefundNotificationSchema(Answer):
    """What became of a refund."""

    type = fields.String(
        required=True,
        validate=validate.OneOf(REFUND_TYPES),
        metadata={"description": "`refund.` and its new status"},
    )
    timestamp = fields.String(required=True, metadata={"description": "When it happened", "format": "date-time"})
    data = fields.Nested(schemas.RefundSchema, required=True)


class NotifiedInvoiceSchema(invoice_answers.InvoiceShownSchema):
    """An invoice as it stood when the notification was left; without what tells who is invoiced, and what for."""

    class Meta(invoice_answers.InvoiceShownSchema.Meta):
        """Leaves out what is read with an API key alone."""

        exclude = ("hosted_invoice_url", "invoice_pdf", "lines", "purchase_order")


class InvoiceNotificationSchema(Answer):
    """What became of an invoice."""

    type = fields.String(
        required=True,
        validate=validate.OneOf(INVOICE_TYPES),
        metadata={"description": "`invoice.` and its new status"},
    )
    timestamp = fields.String(required=True, metadata={"description": "When it happened", "format": "date-time"})
    data = fields.Nested(NotifiedInvoiceSchema, required=True)


def webhooks(spec: APISpec) -> Mapping[str, Any]:
    """Return the document's `webhooks`, and put their schemas among its components."""
    spec.components.schema("PaymentNotification", schema=PaymentNotificationSchema)
    spec.components.schema("RefundNotification", schema=RefundNotificationSchema)
    spec.components.schema("InvoiceNotification", schema=InvoiceNotificationSchema)
    return {
        "invoice": {"post": _hear("hearOfInvoice", "An invoice changed", "InvoiceNotification")},
        "payment": {"post": _hear("hearOfPayment", "A payment changed", "PaymentNotification")},
        "refund": {"post": _hear("hearOfRefund", "A refund changed", "RefundNotification")},
    }


def _hear(name: str, summary: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "operationId": name,
        "summary": summary,
        "description": ABOUT,
        "parameters": [
            {"in": "header", "name": header, "required": True, "description": words, "schema": {"type": "string"}}
            for header, words in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "2XX": {"description": "It was taken; the body of the answer is not read"},
            "410": {"description": "The endpoint is gone: it is disabled"},
            "default": {"description": "It is sent again; with 429 and 503 not before Retry-After"},
        },
    }
