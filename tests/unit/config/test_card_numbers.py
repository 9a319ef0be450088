"""Card numbers are found however they are written, and other numbers are let be."""

from __future__ import annotations

import pytest

from config.card_numbers import contains_card_number, spans

CARDS = [
    "4242424242424242",
    "4242 4242 4242 4242",
    "4242-4242-4242-4242",
    "my card is 4242 4242 4242 4242, exp 12/28",
    "4242 4242 4242 4242 12 28 123",
    "12 28 4242424242424242",
    "4242\u00a04242\u20134242  4242",
    "378282246310005",
    "3782 822463 10005",
    "30569309025904",
    "4222222222222",
    "6799990100000000019",
    "card4242424242424242card",
    "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
]
OTHERS = [
    "",
    "BK-2026-0117",
    "4242424242424241",
    "424242424242",
    "1732345678901",
    "+44 20 7946 0958",
    "0000000000000000",
    "2026-11-23 07:27:42.123456",
    "203.0.113.7",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.6778.85",
    "4242a4242b4242c4242",
]


@pytest.mark.parametrize("text", CARDS)
def test_a_card_number_is_found(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize("text", OTHERS)
def test_another_number_is_not_taken_for_one(text: str) -> None:
    assert not contains_card_number(text)


def test_each_of_several_is_found_where_it_stands() -> None:
    text = "a 4242424242424242 b 378282246310005"
    assert [text[start:end] for start, end in spans(text)] == ["4242424242424242", "378282246310005"]
