"""VAT: each line rounded by itself, half a penny upwards, in whole numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import vat
from config.currencies import MAXIMUM_AMOUNT
from config.vat import Sum, line_sum

AMOUNTS = st.integers(0, MAXIMUM_AMOUNT)


@pytest.mark.parametrize(
    ("amount", "tax", "expected"),
    [
        (4950, "gb_vat_standard", Sum(4950, 990)),
        (1, "gb_vat_standard", Sum(1, 0)),  # a fifth of a penny
        (3, "gb_vat_standard", Sum(3, 1)),  # three fifths
        (10, "gb_vat_reduced", Sum(10, 1)),  # half a penny is rounded up
        (9, "gb_vat_reduced", Sum(9, 0)),
        (4950, "zero_rated", Sum(4950, 0)),
        (4950, "exempt", Sum(4950, 0)),
        (0, "gb_vat_standard", Sum(0, 0)),
    ],
)
def test_tax_is_added_to_a_price_without_it(amount: int, tax: str, expected: Sum) -> None:
    assert line_sum(amount, tax, inclusive=False) == expected


@pytest.mark.parametrize(
    ("amount", "tax", "expected"),
    [
        (12000, "gb_vat_standard", Sum(10000, 2000)),
        (2100, "gb_vat_reduced", Sum(2000, 100)),
        (100, "gb_vat_standard", Sum(83, 17)),  # a sixth is 16.67
        (3, "gb_vat_standard", Sum(2, 1)),  # half a penny is rounded up
        (4950, "exempt", Sum(4950, 0)),
    ],
)
def test_tax_is_the_vat_fraction_of_a_price_that_holds_it(amount: int, tax: str, expected: Sum) -> None:
    assert line_sum(amount, tax, inclusive=True) == expected


@given(AMOUNTS, st.sampled_from(vat.TAXES))
def test_a_price_that_holds_its_tax_is_what_is_paid(amount: int, tax: str) -> None:
    found = line_sum(amount, tax, inclusive=True)
    assert found.gross == amount
    assert found.net >= 0
    assert found.tax >= 0


@given(AMOUNTS, st.sampled_from(vat.TAXES))
def test_rounding_is_never_off_by_more_than_half_a_penny(amount: int, tax: str) -> None:
    exact = amount * vat.RATES[tax].percentage  # hundredths of a penny
    assert -50 <= 100 * line_sum(amount, tax, inclusive=False).tax - exact <= 50


def test_an_invoices_tax_is_the_sum_of_its_lines_taxes() -> None:
    """Three lines of 3p at 20 % are 1p each; a fifth of 9p together would be 2p."""
    assert vat.total([line_sum(3, "gb_vat_standard", inclusive=False)] * 3) == Sum(9, 3)
