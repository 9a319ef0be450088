from __future__ import annotations

import pytest

from sandbox.simulator.errors import ApiError
from sandbox.simulator.money import check_amount, currency, fee, shown


@pytest.mark.parametrize(("amount", "expected"), [(1200, 38), (100, 22), (10_000, 170), (33, 20), (34, 21)])
def test_the_fee_is_one_and_a_half_percent_rounded_half_up_plus_twenty_pence(amount: int, expected: int) -> None:
    assert fee(amount) == expected


@pytest.mark.parametrize(("amount", "code"), [(30, "gbp"), (50, "usd"), (50, "eur"), (99_999_999, "gbp")])
def test_amounts_at_stripes_bounds_are_accepted(amount: int, code: str) -> None:
    check_amount(amount, code)


@pytest.mark.parametrize(
    ("amount", "code", "message"),
    [
        (29, "gbp", "Amount must be at least £0.30 gbp"),
        (49, "usd", "Amount must be at least $0.50 usd"),
        (100_000_000, "gbp", "Amount must be no more than £999,999.99"),
    ],
)
def test_amounts_beyond_them_are_refused_in_stripes_words(amount: int, code: str, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        check_amount(amount, code)
    assert caught.value.message == message


def test_currencies_are_read_in_any_case_and_unknown_ones_refused() -> None:
    assert currency("currency", "GBP") == "gbp"
    with pytest.raises(ApiError, match="Invalid currency: xxx"):
        currency("currency", "xxx")


def test_amounts_are_shown_as_people_write_them() -> None:
    assert (shown(123_456, "gbp"), shown(500, "jpy"), shown(5, "sek")) == ("£1,234.56", "¥500", "0.05")
