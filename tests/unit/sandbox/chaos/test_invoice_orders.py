"""Orders of invoices: repeatable, of every fate, and with totals worked out by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sandbox.chaos.invoice_orders import BATCH, PAYMENTS_PER_ORDER, WEIGHTS, Invoice, InvoiceOrder, make_invoice_orders


def orders(payments: int = 1200) -> list[InvoiceOrder]:
    return make_invoice_orders(payments, "I", random.Random(3), impatient=True)


def test_the_same_chance_makes_the_same_orders() -> None:
    assert orders() == orders()


def test_a_share_of_the_load_is_invoices_of_every_fate_and_some_come_in_batches() -> None:
    made = orders()
    assert len(made) == 1200 // PAYMENTS_PER_ORDER
    assert {order.invoices[0].fate for order in made if not order.batch} == set(WEIGHTS)
    assert {tuple(each.fate for each in order.invoices) for order in made if order.batch} == {tuple(BATCH)}


def test_every_invoice_has_a_reference_of_its_own() -> None:
    references = [each.reference for order in orders() for each in order.invoices]
    assert len(set(references)) == len(references)


def test_an_invoice_for_a_payment_is_over_its_amount_and_for_its_customer() -> None:
    [order, *_] = [each for each in orders() if each.payment is not None]
    assert order.payment is not None
    assert order.invoices[0].total == order.payment.body["amount"]
    assert order.invoices[0].body["customer"] == order.payment.body["customer"]


@pytest.mark.parametrize(
    ("line", "total"),
    [
        ({"quantity": 2, "unit_amount": 4950, "tax": "exempt"}, 9900),
        ({"quantity": 1, "unit_amount": 18333, "tax": "gb_vat_standard"}, 22000),  # 3,666.6
        ({"quantity": 3, "unit_amount": 10, "tax": "gb_vat_reduced"}, 32),  # 1.5: half a penny goes upwards
        ({"quantity": 1, "unit_amount": 28, "tax": "gb_vat_reduced"}, 29),  # 1.4
        ({"unit_amount": 100, "tax": "zero_rated"}, 100),
    ],
)
def test_vat_is_rounded_line_by_line(line: dict[str, Any], total: int) -> None:
    assert Invoice("I", {"lines": [line, line]}, "is sent").total == 2 * total
