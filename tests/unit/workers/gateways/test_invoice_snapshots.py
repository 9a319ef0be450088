"""Stripe's invoices as they are read: what is there is taken, what is not known stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from config.errors import ContractError
from tests.unit.workers.gateways.objects import NEW_YEAR, invoice, invoice_payment, listed
from workers.gateways.invoice_snapshots import invoice_payment_snapshot, invoice_snapshot

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


def test_an_open_invoice_is_read() -> None:
    found = invoice_snapshot(invoice())
    assert (found.id, found.status, found.number) == ("in_1", "open", "ABC-0001")
    assert (found.total, found.tax, found.amount_paid, found.paid_elsewhere) == (11880, 1980, 0, 0)
    assert (found.due_at, found.paid_at, found.created) == (MIDNIGHT, None, MIDNIGHT)
    assert (found.operation, found.customer_id, found.has_lines) == ("inv_1/create/1", "cus_1", True)


def test_payments_that_were_not_expanded_are_unknown_and_not_none() -> None:
    assert invoice_snapshot(invoice()).payments is None
    assert invoice_snapshot(invoice(payments=listed())).payments == ()
    [paid] = invoice_snapshot(invoice(payments=listed(invoice_payment()))).payments or ()
    assert (paid.payment_intent_id, paid.status, paid.amount_paid) == ("pi_1", "paid", 11880)


def test_a_draft_has_neither_number_nor_addresses() -> None:
    blank = dict.fromkeys(("number", "hosted_invoice_url", "invoice_pdf", "due_date", "total_taxes"))
    found = invoice_snapshot(invoice(status="draft", total=0, lines=listed(), **blank))
    assert (found.number, found.hosted_url, found.pdf_url, found.due_at) == (None, None, None, None)
    assert (found.has_lines, found.tax) == (False, 0)


def test_what_was_paid_past_stripe_and_when_is_read() -> None:
    moments = {"paid_at": NEW_YEAR}
    found = invoice_snapshot(invoice(status="paid", amount_paid_off_stripe=11880, status_transitions=moments))
    assert (found.paid_elsewhere, found.paid_at) == (11880, MIDNIGHT)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"object": "charge"}, "invoice"),
        ({"status": None}, "status"),
        ({"total": "11880"}, "total"),
        ({"total_taxes": {}}, "total_taxes"),
        ({"lines": []}, "lines"),
        ({"payments": {"data": ["inpay_1"]}}, "data"),
        ({"due_date": "tomorrow"}, "due_date"),
    ],
)
def test_what_is_not_as_expected_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ContractError, match=named):
        invoice_snapshot(invoice(**change))


def test_addresses_are_not_shown_by_accident() -> None:
    assert "https" not in repr(invoice_snapshot(invoice()))


def test_a_payment_by_other_means_has_no_payment_intent() -> None:
    other = invoice_payment(payment={"type": "payment_record", "payment_record": "pr_1"})
    assert invoice_payment_snapshot(other).payment_intent_id is None
