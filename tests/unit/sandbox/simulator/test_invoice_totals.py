from __future__ import annotations

from typing import Any

import pytest

from sandbox.simulator.invoice_totals import tax_entry, tax_of_rate, totals


def rate(percentage: float, *, inclusive: bool = False, name: str = "txr_1") -> dict[str, Any]:
    return {"id": name, "percentage": percentage, "inclusive": inclusive}


def line(amount: int, *taxes: dict[str, Any]) -> dict[str, Any]:
    return {"amount": amount, "taxes": list(taxes)}


@pytest.mark.parametrize(
    ("amount", "percentage", "inclusive", "tax", "taxable"),
    [
        (1000, 20.0, False, 200, 1000),
        (1200, 20.0, True, 200, 1000),
        (1250, 19.6, False, 245, 1250),
        (5, 10.0, False, 1, 5),
        (0, 20.0, True, 0, 0),
    ],
)
def test_the_tax_of_a_rate_is_added_to_the_amount_or_is_in_it(
    amount: int, percentage: float, inclusive: bool, tax: int, taxable: int
) -> None:
    entry = tax_of_rate(amount, rate(percentage, inclusive=inclusive))
    assert (entry["amount"], entry["taxable_amount"]) == (tax, taxable)
    assert entry["tax_behavior"] == ("inclusive" if inclusive else "exclusive")


def test_exclusive_tax_makes_the_total_more_and_inclusive_tax_does_not() -> None:
    found = totals(
        [line(1000, tax_of_rate(1000, rate(20))), line(1200, tax_of_rate(1200, rate(20, inclusive=True)))], 0
    )
    assert (found["subtotal"], found["subtotal_excluding_tax"]) == (2200, 2000)
    assert (found["total"], found["total_excluding_tax"]) == (2400, 2000)
    assert (found["amount_due"], found["amount_remaining"]) == (2400, 2400)


def test_taxes_of_one_rate_and_reason_are_added_up_and_others_stay_apart() -> None:
    standard, zero = rate(20), rate(0, name="txr_0")
    found = totals(
        [
            line(100, tax_entry(standard, 20, 100, "standard_rated")),
            line(200, tax_entry(standard, 40, 200, "standard_rated"), tax_entry(zero, 0, 200, "zero_rated")),
            line(300, tax_entry(standard, 0, 300, "reverse_charge")),
        ],
        0,
    )
    assert [(each["amount"], each["taxable_amount"], each["taxability_reason"]) for each in found["total_taxes"]] == [
        (60, 300, "standard_rated"),
        (0, 200, "zero_rated"),
        (0, 300, "reverse_charge"),
    ]


def test_a_customers_credit_lowers_what_is_due_but_never_below_nothing() -> None:
    assert totals([line(1000)], -300)["amount_due"] == 700
    assert totals([line(1000)], -3000)["amount_due"] == 0
    assert totals([line(1000)], 500)["amount_due"] == 1500
