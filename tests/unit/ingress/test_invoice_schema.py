"""What an invoice may ask for, and what is said of what it may not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ingress.fields import load
from ingress.invoice_schema import DEFAULT_TERM, MOST_LINES, InvoiceSchema, invoice_contract
from ingress.problems import ProblemError

SCHEMA = InvoiceSchema()
LINE: dict[str, Any] = {"description": "First aid at work", "quantity": 2, "unit_amount": 4950, "tax": "exempt"}
ASKED: dict[str, Any] = {
    "customer": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "currency": "gbp",
    "lines": [LINE],
}
PAYMENT = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa"


def asked(**changes: Any) -> dict[str, Any]:
    return load(SCHEMA, copy.deepcopy(ASKED) | changes)


def flaws(**changes: Any) -> dict[str, str]:
    with pytest.raises(ProblemError) as refused:
        asked(**changes)
    return {wrong.field: wrong.code for wrong in refused.value.errors}


def test_what_is_left_out_is_what_most_want() -> None:
    contract = invoice_contract("inv_1", asked())
    assert (contract.days_until_due, contract.due_date) == (DEFAULT_TERM, None)
    assert (contract.send, contract.draft, contract.tax_inclusive) == (True, False, False)
    assert contract.lines == [LINE]


def test_a_line_without_a_quantity_is_of_one() -> None:
    line = {name: value for name, value in LINE.items() if name != "quantity"}
    assert asked(lines=[line])["lines"][0]["quantity"] == 1


@pytest.mark.parametrize("changes", [{"payment": PAYMENT}, {"draft": True}])
def test_what_is_paid_or_a_draft_is_not_mailed(changes: dict[str, Any]) -> None:
    assert invoice_contract("inv_1", asked(**changes)).send is False


def test_a_due_date_takes_the_place_of_the_term() -> None:
    contract = invoice_contract("inv_1", asked(due_date="2026-04-30"))
    assert (contract.due_date, contract.days_until_due) == ("2026-04-30", None)


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"lines": []}, "/lines", "too_few"),
        ({"lines": [LINE] * (MOST_LINES + 1)}, "/lines", "too_many"),
        ({"lines": LINE}, "/lines", "not_a_list"),
        ({"lines": [LINE, 4950]}, "/lines/1", "not_an_object"),
        ({"lines": [LINE | {"tax": "us_sales"}]}, "/lines/0/tax", "tax_unknown"),
        ({"lines": [LINE | {"quantity": 0}]}, "/lines/0/quantity", "not_in_range"),
        ({"lines": [LINE | {"quantity": 1.0}]}, "/lines/0/quantity", "not_an_integer"),
        ({"lines": [LINE | {"quantity": True}]}, "/lines/0/quantity", "not_an_integer"),
        ({"lines": [LINE | {"unit_amount": -1}]}, "/lines/0/unit_amount", "not_in_range"),
        ({"lines": [LINE | {"discount": 1}]}, "/lines/0/discount", "unknown_field"),
        ({"lines": [LINE | {"description": " "}]}, "/lines/0/description", "too_short"),
        ({"lines": [LINE | {"unit_amount": 0}]}, "/lines", "amount_too_small"),
        ({"lines": [LINE | {"unit_amount": 99_999_999}]}, "/lines", "amount_too_large"),
        ({"currency": "jpy"}, "/currency", "currency_not_allowed"),
        ({"purchase_order": "x" * 141}, "/purchase_order", "too_long"),
        ({"due_date": "30/04/2026"}, "/due_date", "not_a_day"),
        ({"due_date": "2026-02-30"}, "/due_date", "not_a_day"),
        ({"due_date": "2026-04-30", "days_until_due": 14}, "/days_until_due", "contradiction"),
        ({"days_until_due": 0}, "/days_until_due", "not_in_range"),
        ({"payment": "pi_123"}, "/payment", "unfit_text"),
        ({"payment": PAYMENT, "send": True}, "/send", "contradiction"),
        ({"draft": True, "send": True}, "/send", "contradiction"),
        ({"draft": True, "payment": PAYMENT}, "/draft", "contradiction"),
        ({"send": "yes"}, "/send", "not_a_boolean"),
        ({"customer": {"name": "Ada"}}, "/customer/email", "required"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str, code: str) -> None:
    assert flaws(**changes) == {field: code}


def test_the_total_is_judged_with_its_tax() -> None:
    """25p and their VAT are 30p, the least that Stripe takes."""
    line = LINE | {"quantity": 1, "unit_amount": 25}
    assert flaws(lines=[line]) == {"/lines": "amount_too_small"}
    assert asked(lines=[line | {"tax": "gb_vat_standard"}])
