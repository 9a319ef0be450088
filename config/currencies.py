"""Currencies: how many decimals each has, and which amounts Stripe takes in it.

Amounts are whole minor units, as Stripe's API wants them (https://docs.stripe.com/currencies).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAXIMUM_AMOUNT: Final = 99_999_999  # Stripe's: eight digits, whatever the currency


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency.

    Args:
        minimum: the least that Stripe charges, in minor units. Where it publishes none, the least that can be said;
            Stripe itself refuses what is worth less than some 50 US cents.
        decimals: how many digits of an amount stand behind the point.
        step: what an amount must be a multiple of.
    """

    minimum: int
    decimals: int = 2
    step: int = 1


# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
_TWO_DECIMALS: Final = {
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 15_00,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 175_00,
    "inr": 50,
    "mxn": 10_00,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 10_00,
    "usd": 50,
}
# https://docs.stripe.com/currencies#zero-decimal
_ZERO_DECIMALS: Final = {
    "bif": 1,
    "clp": 1,
    "djf": 1,
    "gnf": 1,
    "jpy": 50,
    "kmf": 1,
    "krw": 1,
    "mga": 1,
    "pyg": 1,
    "rwf": 1,
    "vnd": 1,
    "vuv": 1,
    "xaf": 1,
    "xof": 1,
    "xpf": 1,
}
# https://docs.stripe.com/currencies#three-decimal: the card networks know two decimals, so the last digit must be 0.
_THREE_DECIMALS: Final = ("bhd", "jod", "kwd", "omr", "tnd")
# https://docs.stripe.com/currencies#special-cases: they have no decimals any more, and are still written with two.
_WRITTEN_WITH_TWO: Final = ("isk", "ugx")

CURRENCIES: Final[Mapping[str, Currency]] = {
    **{code: Currency(minimum) for code, minimum in _TWO_DECIMALS.items()},
    **{code: Currency(minimum, decimals=0) for code, minimum in _ZERO_DECIMALS.items()},
    **{code: Currency(10, decimals=3, step=10) for code in _THREE_DECIMALS},
    **{code: Currency(100, step=100) for code in _WRITTEN_WITH_TWO},
}
CODES: Final = tuple(sorted(CURRENCIES))
DEFAULT_CODES: Final = ("gbp", "eur", "usd")


def in_units(amount: int, currency: str) -> str:
    """Write minor units as people do, such as -1234.50."""
    decimals = CURRENCIES[currency].decimals if currency in CURRENCIES else 0
    whole, rest = divmod(abs(amount), 10**decimals)
    return f"{'-' * (amount < 0)}{whole}{f'.{rest:0{decimals}d}' if decimals else ''}"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Why Stripe would not take an amount: a code for programs, words for people."""

    code: str
    words: str


def amount_flaw(amount: int, currency: str) -> Flaw | None:
    """Return what is wrong with an amount in a currency of the table, None if nothing is."""
    rules = CURRENCIES[currency]
    if amount < rules.minimum:
        return Flaw("amount_too_small", f"The amount must be at least {rules.minimum} in {currency}.")
    if amount > MAXIMUM_AMOUNT:
        return Flaw("amount_too_large", f"The amount must not be above {MAXIMUM_AMOUNT}.")
    return rounding_flaw(amount, currency)


def rounding_flaw(amount: int, currency: str) -> Flaw | None:
    """Return what is wrong with a part of an amount, to be captured or refunded; None if nothing is, as far as we know.

    Stripe wants refunds rounded as payments are (https://docs.stripe.com/currencies#three-decimal).
    """
    rules = CURRENCIES.get(currency)
    if rules is None or amount % rules.step == 0:
        return None
    return Flaw("amount_not_rounded", f"The amount must be a multiple of {rules.step} in {currency}.")
