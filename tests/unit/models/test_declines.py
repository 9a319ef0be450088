"""Declines in words fit for the customer, who is never told that fraud is suspected."""

from __future__ import annotations

import pytest

from models.declines import GENERAL, customer_words


@pytest.mark.parametrize(
    "code",
    ["lost_card", "stolen_card", "fraudulent", "pickup_card", "merchant_blacklist", "security_violation", None],
)
def test_a_delicate_or_missing_code_reads_as_a_general_decline(code: str | None) -> None:
    assert customer_words(code) == {"code": "generic_decline", "message": GENERAL}


@pytest.mark.parametrize(
    ("code", "word"), [("insufficient_funds", "funds"), ("expired_card", "expired"), ("incorrect_cvc", "security code")]
)
def test_a_decline_that_the_customer_can_mend_says_how(code: str, word: str) -> None:
    told = customer_words(code)
    assert told["code"] == code
    assert word in told["message"]


def test_an_unknown_code_has_the_general_words() -> None:
    assert customer_words("something_new")["message"] == GENERAL
