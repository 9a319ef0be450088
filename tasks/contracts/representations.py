"""Jobs and payments as the website gets them, in answers and notifications: written from their views.

They are described by the schemas of `ingress.schemas`.
"""

from typing import Any

from tasks.contracts.views import JobView, PaymentView


def job(view: JobView) -> dict[str, Any]:
    """Write a job; the fields of `JobSchema`."""
    return {
        "id": view.id,
        "object": "job",
        "kind": view.kind,
        "status": view.state,
        "payment": view.subject_id if view.subject_id.startswith("pay_") else None,
        "problem": view.problem,
        "attempts": view.attempts,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {"self": f"/v1/jobs/{view.id}", "payment": payment_path(view.subject_id)},
    }


def payment(view: PaymentView) -> dict[str, Any]:
    """Write a payment; the fields of `PaymentSchema`."""
    return {
        "id": view.id,
        "object": "payment",
        "status": view.status,
        "amount": view.amount,
        "amount_capturable": view.amount_capturable,
        "amount_received": view.amount_received,
        "amount_refunded": view.amount_refunded,
        "currency": view.currency,
        "capture": view.capture,
        "capture_before": view.capture_before,
        "booking_reference": view.booking_reference,
        "client_secret": view.client_secret,
        "stripe_payment_intent": view.stripe_payment_intent,
        "decline": view.decline,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {"self": payment_path(view.id), "job": f"/v1/jobs/{view.job_id}"},
    }


def payment_path(subject_id: str) -> str | None:
    """Return where a payment is read, if this is the id of one."""
    return f"/v1/payments/{subject_id}" if subject_id.startswith("pay_") else None
