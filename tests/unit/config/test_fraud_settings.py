"""The policy on warned payments is read whole, and refused in words where it is no policy."""

from __future__ import annotations

import pytest

from config.environment import Reader
from config.errors import SettingsError
from config.fraud_settings import REFUND_BELOW, FraudSettings, read_fraud


def policy(monkeypatch: pytest.MonkeyPatch, written: str | None) -> FraudSettings:
    if written is None:
        monkeypatch.delenv(REFUND_BELOW, raising=False)
    else:
        monkeypatch.setenv(REFUND_BELOW, written)
    with Reader() as read:
        return read_fraud(read)


@pytest.mark.parametrize("written", [None, "none", " none "])
def test_nothing_is_given_back_unless_that_is_set(monkeypatch: pytest.MonkeyPatch, written: str | None) -> None:
    assert not policy(monkeypatch, written).gives_back(1, "gbp")


@pytest.mark.parametrize(
    ("amount", "currency", "given_back"),
    [(1999, "gbp", True), (2000, "gbp", False), (2499, "eur", True), (2500, "eur", False), (1, "usd", False)],
)
def test_what_is_below_the_amount_of_its_currency_is_given_back(
    monkeypatch: pytest.MonkeyPatch, amount: int, currency: str, given_back: bool
) -> None:
    assert policy(monkeypatch, "gbp:2000, eur : 2500").gives_back(amount, currency) is given_back


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("2000", "names '2000', which is no currency"),
        ("xxx:2000", "names 'xxx', which is no currency"),
        ("gbp", "'' of gbp must be a whole number"),
        ("gbp:", "'' of gbp must be a whole number"),
        ("gbp:0", "'0' of gbp must be a whole number from 1"),
        ("gbp:-5", "'-5' of gbp must be a whole number"),
        ("gbp:20.00", "'20.00' of gbp must be a whole number"),
        ("gbp:\uff12\uff10", "must be a whole number"),
        ("gbp:100000000", "from 1 to 99999999"),
        ("gbp:1,gbp:2", "names 'gbp' twice"),
        ("gbp:1,", "names '', which is no currency"),
    ],
)
def test_what_is_no_policy_is_refused_in_words(monkeypatch: pytest.MonkeyPatch, written: str, complaint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        policy(monkeypatch, written)
    assert str(caught.value).startswith(REFUND_BELOW)
    assert complaint in str(caught.value)
