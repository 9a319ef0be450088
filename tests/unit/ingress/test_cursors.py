"""Cursors are sealed for one client's one list: nobody makes, reads, changes or swaps them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.keyring import Keyring
from config.sealing import place, seal
from ingress.cursors import LONGEST, Position, read_cursor, write_cursor
from ingress.problems import ProblemError
from tasks.contracts.lists import BOOKING, CUSTOMER, ListKey

RING = Keyring("v1", {"v1": b"v" * 32})
KEY = ListKey("site", BOOKING, "BK-1")
FIRST, SECOND = "pay_" + "a" * 26, "pay_" + "b" * 26


@pytest.mark.parametrize("position", [Position(None, FIRST), Position(FIRST, SECOND)])
def test_a_cursor_says_what_was_written_and_shows_none_of_it(position: Position) -> None:
    cursor = write_cursor(RING, KEY, position)
    assert read_cursor(RING, KEY, cursor) == position
    raw = base64.urlsafe_b64decode(cursor + "==")
    assert b"pay_" not in raw
    assert len(cursor) < LONGEST


def test_it_is_read_while_its_key_is_in_the_ring() -> None:
    cursor = write_cursor(RING, KEY, Position(None, FIRST))
    rotated = Keyring("v2", {"v2": b"w" * 32, "v1": b"v" * 32})
    assert read_cursor(rotated, KEY, cursor).after == FIRST
    with pytest.raises(ProblemError, match="cursor_invalid"):
        read_cursor(Keyring("v2", {"v2": b"w" * 32}), KEY, cursor)


@pytest.mark.parametrize(
    "other",
    [ListKey("office", BOOKING, "BK-1"), ListKey("site", BOOKING, "BK-2"), ListKey("site", CUSTOMER, "BK-1")],
)
def test_it_is_good_for_no_other_client_and_no_other_list(other: ListKey) -> None:
    cursor = write_cursor(RING, KEY, Position(None, FIRST))
    with pytest.raises(ProblemError, match="cursor_invalid"):
        read_cursor(RING, other, cursor)


def test_it_is_good_for_every_part_of_its_list() -> None:
    cursor = write_cursor(RING, KEY, Position(None, FIRST))
    assert read_cursor(RING, ListKey("site", BOOKING, "BK-1", before=SECOND), cursor).after == FIRST


@given(st.text(min_size=1, max_size=LONGEST + 1))
def test_whatever_is_made_up_is_refused(made_up: str) -> None:
    with pytest.raises(ProblemError, match="cursor_invalid"):
        read_cursor(RING, KEY, made_up)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_is_refused(where: int, change: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(write_cursor(RING, KEY, Position(FIRST, SECOND)) + "=="))
    raw[where % len(raw)] ^= change
    with pytest.raises(ProblemError, match="cursor_invalid"):
        read_cursor(RING, KEY, base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


@pytest.mark.parametrize("said", [b"", b"pay_x", b"\xff", b"a b c"])
def test_what_is_sealed_and_is_no_position_is_refused(said: bytes) -> None:
    sealed = seal(RING, said, place("cursor", "site", BOOKING, "BK-1"))
    with pytest.raises(ProblemError, match="cursor_invalid"):
        read_cursor(RING, KEY, base64.urlsafe_b64encode(sealed).decode().rstrip("="))
