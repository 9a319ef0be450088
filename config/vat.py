"""VAT: the rates that the lines of an invoice may be taxed at, and what a line comes to. Amounts are whole minor units.

The United Kingdom's rates: https://www.gov.uk/vat-rates. The VAT of each line is worked out by itself and rounded to
the nearest penny, half a penny upwards, always: https://www.gov.uk/guidance/vat-guide-notice-700, section 17.5.1.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

WHOLE: Final = 100  # per cent


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate of tax.

    Args:
        percentage: of the price without tax.
        shown: its name on the invoice. An invoice must tell exempt and zero-rated supplies apart (Notice 700, 16.3.2).
        reason: Stripe's word for it (https://docs.stripe.com/api/invoices/add_lines).
    """

    percentage: int
    shown: str
    reason: str


RATES: Final[Mapping[str, Rate]] = {
    "gb_vat_standard": Rate(20, "VAT", "standard_rated"),
    "gb_vat_reduced": Rate(5, "VAT", "reduced_rated"),
    "zero_rated": Rate(0, "VAT (zero-rated)", "zero_rated"),
    "exempt": Rate(0, "VAT (exempt)", "product_exempt"),
}
TAXES: Final = tuple(RATES)


@dataclass(frozen=True, slots=True)
class Sum:
    """What something comes to: without tax, the tax, and both together."""

    net: int
    tax: int

    @property
    def gross(self) -> int:
        """What is to be paid."""
        return self.net + self.tax


def line_sum(amount: int, tax: str, *, inclusive: bool) -> Sum:
    """Return what a line comes to.

    Args:
        amount: quantity times unit price, not below zero.
        tax: one of `TAXES`.
        inclusive: whether the tax is in the price. Then it is the VAT fraction of it (Notice 700, section 7.3.2), a
            sixth at 20 %.
    """
    percentage = RATES[tax].percentage
    if inclusive:
        included = _rounded(amount * percentage, WHOLE + percentage)
        return Sum(amount - included, included)
    return Sum(amount, _rounded(amount * percentage, WHOLE))


def total(sums: Iterable[Sum]) -> Sum:
    """Return what several lines come to: the tax of an invoice is the sum of its lines' taxes."""
    known = list(sums)
    return Sum(sum(each.net for each in known), sum(each.tax for each in known))


def _rounded(dividend: int, divisor: int) -> int:
    """Divide, half upwards; in whole numbers, so that nothing is lost on the way."""
    return (2 * dividend + divisor) // (2 * divisor)
