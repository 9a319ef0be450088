"""Currencies, the least and the most that Stripe charges, and Stripe's fee."""

from typing import Final

from sandbox.simulator.errors import invalid
from sandbox.simulator.params import Raw, identifier

# https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, in minor units
MINIMUM: Final = {
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
    "usd": 50,
}
MAXIMUM: Final = 99_999_999  # eight digits, whatever the currency
SYMBOLS: Final = {"gbp": "£", "eur": "€", "usd": "$", "jpy": "¥"}
WITHOUT_MINOR_UNIT: Final = {"jpy"}

FEE_BASIS_POINTS: Final = 150  # 1.5 %, what Stripe asks for a UK card
FEE_FIXED: Final = 20  # plus 20p
BASIS: Final = 10_000


def currency(name: str, raw: Raw) -> str:
    """Read a three-letter currency code, in any case."""
    code = str(identifier(name, raw)).lower()
    if code not in MINIMUM:
        listed = ", ".join(sorted(MINIMUM))
        raise invalid(
            f"Invalid currency: {code[:10]}. Stripe currently supports these currencies: {listed}", param=name
        )
    return code


def check_amount(amount: int, code: str) -> None:
    """Hold an amount in minor units against Stripe's bounds for its currency.

    Raises:
        ApiError: ``amount_too_small`` or ``amount_too_large``.
    """
    if amount < MINIMUM[code]:
        message = f"Amount must be at least {shown(MINIMUM[code], code)} {code}"
        raise invalid(message, param="amount", code="amount_too_small")
    if amount > MAXIMUM:
        message = f"Amount must be no more than {shown(MAXIMUM, code)}"
        raise invalid(message, param="amount", code="amount_too_large")


def shown(amount: int, code: str) -> str:
    """Return an amount in minor units as people write it, such as £12.50."""
    symbol = SYMBOLS.get(code, "")
    if code in WITHOUT_MINOR_UNIT:
        return f"{symbol}{amount:,}"
    return f"{symbol}{amount // 100:,}.{amount % 100:02d}"


def fee(amount: int) -> int:
    """Return Stripe's fee on a captured amount, rounded half up, both in minor units."""
    return (amount * FEE_BASIS_POINTS + BASIS // 2) // BASIS + FEE_FIXED
