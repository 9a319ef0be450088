"""Sealed columns open in their own cell only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import SealBrokenError
from config.keyring import Keyring
from models.encrypted import decrypt, decrypt_bytes, encrypt, encrypt_bytes

RING = Keyring("e1", {"e1": bytes(range(32))})
CELL = ("customers", "email", "cst_1")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_reads_back(value: str) -> None:
    assert decrypt(RING, *CELL, encrypt(RING, *CELL, value)) == value


def test_what_the_driver_returns_as_a_memoryview_opens() -> None:
    assert decrypt_bytes(RING, *CELL, memoryview(encrypt_bytes(RING, *CELL, b"\x00\xff"))) == b"\x00\xff"


@pytest.mark.parametrize(
    "cell", [("payments", "email", "cst_1"), ("customers", "name", "cst_1"), ("customers", "email", "cst_2")]
)
def test_a_value_copied_to_another_table_column_or_row_does_not_open(cell: tuple[str, str, str]) -> None:
    with pytest.raises(SealBrokenError):
        decrypt(RING, *cell, encrypt(RING, *CELL, "anna@example.com"))


def test_a_dump_shows_neither_the_value_nor_whether_two_are_equal() -> None:
    one, other = encrypt(RING, *CELL, "anna@example.com"), encrypt(RING, *CELL, "anna@example.com")
    assert b"anna" not in one
    assert one != other
