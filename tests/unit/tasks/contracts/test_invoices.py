"""The contract of invoices: it is the same bytes for the same request, and tells what its lines come to."""

from __future__ import annotations

from config.vat import Sum
from tasks.contracts.invoices import CreateInvoice
from tests.builders.entries import invoice_request


def test_it_reads_back_what_it_wrote() -> None:
    request = invoice_request("key", purchase_order="PO-4711", booking_reference="B-1")
    assert CreateInvoice.from_bytes(request.to_bytes()) == request


def test_the_lines_come_to_their_sum() -> None:
    lines = [
        {"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "exempt"},
        {"description": "Handbook", "quantity": 3, "unit_amount": 333, "tax": "gb_vat_standard"},
    ]
    request = invoice_request("key", lines=lines)
    assert [line.sum for line in request.priced] == [Sum(9900, 0), Sum(999, 200)]
    assert (request.total, request.total.gross) == (Sum(10899, 200), 11099)


def test_prices_that_hold_their_tax_come_to_themselves() -> None:
    lines = [{"description": "Handbook", "quantity": 2, "unit_amount": 1200, "tax": "gb_vat_standard"}]
    assert invoice_request("key", lines=lines, tax_inclusive=True).total == Sum(2000, 400)
