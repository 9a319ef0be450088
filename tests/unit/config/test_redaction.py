"""Redaction, by itself: what it leaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from config.card_numbers import contains_card_number
from config.redaction import CARD, redact


def test_what_stands_around_a_secret_stays() -> None:
    assert redact("before 4242424242424242 after") == f"before {CARD} after"
    assert redact("key=sk_test_abc123, next") == "key=[stripe key], next"
    assert redact("to <ada@example.org>") == "to <[e-mail]>"


@given(st.text("0123456789 -.:,/+_\u200bab", max_size=60))
def test_no_card_number_is_left(text: str) -> None:
    assert not contains_card_number(redact(text))
