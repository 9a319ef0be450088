"""Currencies, the least and the most that Stripe charges, and Stripe's fee."""

from typing import Final

from config.currencies import CODES, CURRENCIES, MAXIMUM_AMOUNT, amount_flaw, rounding_flaw
from sandbox.simulator.errors import invalid
from sandbox.simulator.params import Raw, identifier

SYMBOLS: Final = {"gbp": "£", "eur": "€", "usd": "$", "jpy": "¥"}

FEE_BASIS_POINTS: Final = 150  # 1.5 %, what Stripe asks for a UK card
FEE_FIXED: Final = 20  # plus 20p
BASIS: Final = 10_000


def currency(name: str, raw: Raw) -> str:
    """Read a three-letter currency code, in any case."""
    code = str(identifier(name, raw)).lower()
    if code not in CURRENCIES:
        listed = ", ".join(CODES)
        raise invalid(
            f"Invalid currency: {code[:10]}. Stripe currently supports these currencies: {listed}", param=name
        )
    return code


def check_amount(amount: int, code: str) -> None:
    """Hold an amount in minor units against Stripe's bounds for its currency.

    Raises:
        ApiError: ``amount_too_small`` or ``amount_too_large``, or it is not rounded.
    """
    flaw = amount_flaw(amount, code)
    if flaw is None:
        return
    if flaw.code == "amount_too_small":
        message = f"Amount must be at least {shown(CURRENCIES[code].minimum, code)} {code}"
        raise invalid(message, param="amount", code=flaw.code)
    if flaw.code == "amount_too_large":
        message = f"Amount must be no more than {shown(MAXIMUM_AMOUNT, code)}"
        raise invalid(message, param="amount", code=flaw.code)
    check_rounded(amount, code, param="amount")


def check_rounded(amount: int, code: str, *, param: str) -> None:
    """Refuse an amount, or a part of one, whose last digits its currency does not have; raises ApiError."""
    if rounding_flaw(amount, code) is not None:
        raise invalid(f"Invalid amount: {amount} must be divisible by {CURRENCIES[code].step} in {code}", param=param)


def is_too_small(amount: int, code: str) -> bool:
    """Tell whether Stripe can't charge so few minor units."""
    return amount < CURRENCIES[code].minimum


def shown(amount: int, code: str) -> str:
    """Return an amount in minor units as people write it, such as £12.50."""
    symbol, decimals = SYMBOLS.get(code, ""), CURRENCIES[code].decimals
    whole, rest = divmod(amount, 10**decimals)
    return f"{symbol}{whole:,}.{rest:0{decimals}d}" if decimals else f"{symbol}{whole:,}"


def fee(amount: int) -> int:
    """Return Stripe's fee on a captured amount, rounded half up, both in minor units."""
    return (amount * FEE_BASIS_POINTS + BASIS // 2) // BASIS + FEE_FIXED
