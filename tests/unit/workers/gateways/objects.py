"""Stripe's objects, as short as they may be."""

from __future__ import annotations

from typing import Any

NEW_YEAR = 1767225600  # 2026-01-01T00:00:00Z


def payment_intent(**changes: Any) -> dict[str, Any]:
    return {
        "id": "pi_1",
        "object": "payment_intent",
        "status": "requires_payment_method",
        "amount": 4900,
        "amount_received": 0,
        "amount_capturable": 0,
        "currency": "gbp",
        "client_secret": "pi_1_secret_2",
        "customer": "cus_1",
        "latest_charge": None,
        "last_payment_error": None,
        "metadata": {"tollgate_operation": "pay_1/create/1"},
        "created": NEW_YEAR,
    } | changes


def charge(**changes: Any) -> dict[str, Any]:
    return {
        "id": "ch_1",
        "object": "charge",
        "payment_intent": "pi_1",
        "status": "succeeded",
        "amount": 4900,
        "amount_captured": 4900,
        "amount_refunded": 0,
        "currency": "gbp",
        "disputed": False,
        "failure_code": None,
        "outcome": {"reason": None},
        "metadata": {"tollgate_operation": "pay_1/create/1"},
        "created": NEW_YEAR,
    } | changes


def refund(**changes: Any) -> dict[str, Any]:
    return {
        "id": "re_1",
        "object": "refund",
        "payment_intent": "pi_1",
        "charge": charge(amount_refunded=900),
        "status": "succeeded",
        "amount": 900,
        "currency": "gbp",
        "reason": None,
        "metadata": {"tollgate_operation": "ref_1/create/1"},
        "created": NEW_YEAR,
    } | changes


def invoice(**changes: Any) -> dict[str, Any]:
    return {
        "id": "in_1",
        "object": "invoice",
        "status": "open",
        "currency": "gbp",
        "total": 11880,
        "total_taxes": [{"amount": 1980}],
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "lines": {"object": "list", "data": [{"id": "il_1"}], "has_more": False},
        "number": "ABC-0001",
        "customer": "cus_1",
        "due_date": NEW_YEAR,
        "status_transitions": {"paid_at": None},
        "hosted_invoice_url": "https://invoice.stripe.com/i/1",
        "invoice_pdf": "https://invoice.stripe.com/i/1/pdf",
        "metadata": {"tollgate_operation": "inv_1/create/1"},
        "created": NEW_YEAR,
    } | changes


def invoice_payment(**changes: Any) -> dict[str, Any]:
    return {
        "id": "inpay_1",
        "object": "invoice_payment",
        "invoice": "in_1",
        "status": "paid",
        "amount_paid": 11880,
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"},
    } | changes


def listed(*objects: dict[str, Any], more: bool = False) -> dict[str, Any]:
    return {"object": "list", "url": "/v1/things", "data": list(objects), "has_more": more}


def error(**fields: Any) -> dict[str, Any]:
    return {"error": fields}
