"""Jobs, payments, refunds and invoices as the website gets them, in answers and notifications: made of their views.

They are described by the schemas of `ingress.schemas`.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

from tasks.contracts.views import BatchView, InvoiceView, JobView, PaymentView, RefundView, Subject

NOTHING: Final[Mapping[str, InvoiceView]] = MappingProxyType({})
UNFINISHED: Final = frozenset({"accepted", "processing", "checking"})  # statuses of lines that are on their way


def job(view: JobView) -> dict[str, Any]:
    """Write a job; the fields of `JobSchema`."""
    return {
        "id": view.id,
        "object": "job",
        "kind": view.kind,
        "status": view.state,
        "payment": view.subject_id if view.subject_id.startswith("pay_") else None,
        "refund": view.subject_id if view.subject_id.startswith("ref_") else None,
        "invoice": view.subject_id if view.subject_id.startswith("inv_") else None,
        "problem": view.problem,
        "attempts": view.attempts,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {
            "self": f"/v1/jobs/{view.id}",
            "payment": payment_path(view.subject_id),
            "refund": refund_path(view.subject_id),
            "invoice": invoice_path(view.subject_id),
        },
    }


def subject(view: Subject) -> dict[str, Any]:
    """Write what a job is about."""
    if isinstance(view, InvoiceView):
        return invoice(view)
    if isinstance(view, BatchView):
        return batch(view)
    return refund(view) if isinstance(view, RefundView) else payment(view)


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
        "seat_hold": view.seat_hold,
        "flags": list(view.flags),
        "invoice": view.invoice_id,
        "dispute": view.dispute,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {"self": payment_path(view.id), "job": f"/v1/jobs/{view.job_id}"},
    }


def refund(view: RefundView) -> dict[str, Any]:
    """Write a refund; the fields of `RefundSchema`."""
    return {
        "id": view.id,
        "object": "refund",
        "payment": view.payment_id,
        "status": view.status,
        "amount": view.amount or None,
        "currency": view.currency,
        "reason": view.reason,
        "failure_reason": view.failure_reason,
        "stripe_refund": view.stripe_refund,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {
            "self": refund_path(view.id),
            "payment": payment_path(view.payment_id),
            "job": None if view.job_id is None else f"/v1/jobs/{view.job_id}",
        },
    }


def invoice(view: InvoiceView) -> dict[str, Any]:
    """Write an invoice; the fields of `InvoiceShownSchema`."""
    return {
        "id": view.id,
        "object": "invoice",
        "status": view.status,
        "number": view.number,
        "currency": view.currency,
        "subtotal": view.subtotal,
        "tax_amount": view.tax_amount,
        "total": view.total,
        "amount_paid": view.amount_paid,
        "tax_inclusive": view.tax_inclusive,
        "lines": [dict(line) for line in view.lines],
        "purchase_order": view.purchase_order,
        "booking_reference": view.booking_reference,
        "payment": view.payment_id,
        "paid_out_of_band": view.paid_out_of_band,
        "due_at": view.due_at,
        "sent_at": view.sent_at,
        "paid_at": view.paid_at,
        "hosted_invoice_url": view.hosted_invoice_url,
        "invoice_pdf": view.invoice_pdf,
        "stripe_invoice": view.stripe_invoice,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {
            "self": invoice_path(view.id),
            "payment": None if view.payment_id is None else payment_path(view.payment_id),
            "job": f"/v1/jobs/{view.job_id}",
        },
    }


def batch(
    view: BatchView, invoices: Mapping[str, InvoiceView] = NOTHING, on_the_way: Collection[str] = ()
) -> dict[str, Any]:
    """Write a batch; the fields of `BatchSchema`.

    Args:
        view: the batch.
        invoices: its invoices as they are now, by their ids; one that is not there was accepted, and no more is known.
        on_the_way: those whose jobs are not over, whatever they are by now.
    """
    lines = [_batch_line(entry, invoices) for entry in view.entries]
    counts = Counter(line["status"] for line in lines)
    return {
        "id": view.id,
        "object": "batch",
        "invoices": len(lines),
        "accepted": sum(line["invoice"] is not None for line in lines),
        "refused": sum(line["invoice"] is None for line in lines),
        "finished": not counts.keys() & UNFINISHED and not on_the_way,
        "statuses": dict(sorted(counts.items())),
        "lines": lines,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "links": {"self": f"/v1/batches/{view.id}", "job": f"/v1/jobs/{view.job_id}"},
    }


def _batch_line(entry: Mapping[str, Any], invoices: Mapping[str, InvoiceView]) -> dict[str, Any]:
    name, shown = entry.get("invoice"), invoices.get(entry.get("invoice", ""))
    job_id = entry.get("job")
    return {
        "line": entry["line"],
        "status": "refused" if name is None else "accepted" if shown is None else shown.status,
        "invoice": name,
        "problem": entry.get("problem"),
        "links": {
            "invoice": None if name is None else f"/v1/invoices/{name}",
            "job": None if job_id is None else f"/v1/jobs/{job_id}",
        },
    }


def payment_path(subject_id: str) -> str | None:
    """Return where a payment is read, if this is the id of one."""
    return f"/v1/payments/{subject_id}" if subject_id.startswith("pay_") else None


def refund_path(subject_id: str) -> str | None:
    """Return where a refund is read, if this is the id of one."""
    return f"/v1/refunds/{subject_id}" if subject_id.startswith("ref_") else None


def invoice_path(subject_id: str) -> str | None:
    """Return where an invoice is read, if this is the id of one."""
    return f"/v1/invoices/{subject_id}" if subject_id.startswith("inv_") else None
