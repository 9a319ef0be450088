"""Currencies: decimals, minimums and steps, by Stripe's page."""

from __future__ import annotations

import pytest

from config.currencies import CODES, CURRENCIES, DEFAULT_CODES, MAXIMUM_AMOUNT, amount_flaw


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (30, "gbp", None),
        (29, "gbp", "amount_too_small"),
        (50, "eur", None),
        (49, "eur", "amount_too_small"),
        (50, "jpy", None),
        (51, "jpy", None),
        (49, "jpy", "amount_too_small"),
        (1, "krw", None),
        (5120, "kwd", None),
        (5124, "kwd", "amount_not_rounded"),
        (9, "kwd", "amount_too_small"),
        (500, "isk", None),
        (501, "isk", "amount_not_rounded"),
        (0, "bif", "amount_too_small"),
        (99_999_999, "usd", None),
        (100_000_000, "usd", "amount_too_large"),
    ],
)
def test_an_amount_fits_its_currency_or_is_told_why_not(amount: int, currency: str, code: str | None) -> None:
    flaw = amount_flaw(amount, currency)
    assert (flaw and flaw.code) == code


def test_the_decimals_are_those_of_stripes_page() -> None:
    by_decimals = {decimals: {code for code in CODES if CURRENCIES[code].decimals == decimals} for decimals in (0, 3)}
    assert " ".join(sorted(by_decimals[0])) == "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
    assert by_decimals[3] == {"bhd", "jod", "kwd", "omr", "tnd"}


@pytest.mark.parametrize("code", CODES)
def test_every_currency_takes_its_own_minimum(code: str) -> None:
    assert amount_flaw(CURRENCIES[code].minimum, code) is None
    assert CURRENCIES[code].minimum < MAXIMUM_AMOUNT


def test_the_default_is_in_the_table() -> None:
    assert set(DEFAULT_CODES) < set(CODES)
