"""Card numbers are found however they are written, and other numbers are let be."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from config.card_numbers import contains_card_number, spans
from tasks.contracts.identity import derived_id

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
    "4242.4242.4242.4242",
    "4242/4242/4242/4242",
    "4242_4242_4242_4242",
    "4242:4242:4242:4242",
    "4242,4242,4242,4242",
    "4242+4242+4242+4242",
    "4242 / 4242 / 4242 / 4242",
    "4242.4242-4242 4242",
    "42424242.42424242",
    "4.2.4.2.4.2.4.2.4.2.4.2.4.2.4.2",
    "4242\u200b4242\u200b4242\u200b4242",
    "4242\u20604242\ufeff4242\u200b4242",
    "4242424242\u200b424242",
    "3782.822463.10005",
    "+378282246310005",
    "2026-11-23T09:00:00.000Z 4242.4242.4242.4242 203.0.113.7",
    "09:00:00,4242,4242,4242,4242",
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
    "4242 .. .. 4242 .. .. 4242 .. .. 4242",
]
# Each of these kinds comes in many numbers, one in ten of which passes the Luhn check.
KINDS: dict[str, Callable[[int], str]] = {
    "ISO timestamp": lambda n: f"2026-11-23T09:{n % 60:02}:{n // 60:02}.{n:03}Z",
    "ISO timestamp with an offset": lambda n: f"2026-11-23T23:{n % 60:02}:{n // 60:02}.{n:03}+05:30",
    "timestamp with a space": lambda n: f"2026-11-23 09:{n % 60:02}:{n // 60:02},{n:03}",
    "European timestamp": lambda n: f"23/11/2026 09:{n % 60:02}:{n // 60:02}",
    "IPv4 address with a port": lambda n: f"203.113.100.{n % 256}:54321",
    "two IPv4 addresses": lambda n: f"203.113.100.{n % 256}, 203.113.{n % 256}.250",
    "IPv6 address": lambda n: f"2001:4860:4860::{n + 1000}",
    "full IPv6 address": lambda n: f"2001:4860:4860:0000:0000:0000:0000:{n + 1000}",
    "UUID": lambda n: str(UUID(int=int(f"20{n:04}00444444448444444444444444", 16), version=4)),
    "id of ours": lambda n: derived_id("pay", b"key", str(n)),
    "phone number": lambda n: f"+44 20 7946 0{n:03}",
    "phone number with a zero in brackets": lambda n: f"+44 (0)20 7946 0{n:03}",
    "phone number of thirteen digits": lambda n: f"+86 138-0013-8{n:03}",
    "in-app browser": lambda n: f"(iPhone13,2; iOS 17_2_1; en_GB; scale=3.00; 1170x2532; 543439{n:03})",
    "browser": lambda n: f"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.6778.{n} Safari/537.36",
}


@pytest.mark.parametrize("text", CARDS)
def test_a_card_number_is_found(text: str) -> None:
    assert contains_card_number(text)


@pytest.mark.parametrize("text", OTHERS)
def test_another_number_is_not_taken_for_one(text: str) -> None:
    assert not contains_card_number(text)


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_of_a_known_kind_is_taken_for_one(kind: str) -> None:
    mistaken = [KINDS[kind](number) for number in range(1000) if contains_card_number(KINDS[kind](number))]
    assert mistaken == []


def test_each_of_several_is_found_where_it_stands() -> None:
    text = "a 4242424242424242 b 378282246310005"
    assert [text[start:end] for start, end in spans(text)] == ["4242424242424242", "378282246310005"]


def test_what_is_found_stands_at_its_place_behind_a_known_number() -> None:
    text = "2001:db8::1 2026-11-23 09:00:00 4242.4242.4242.4242."
    assert [text[start:end] for start, end in spans(text)] == ["4242.4242.4242.4242"]
