"""Sealing: opens only with the right key, in the right place, unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import KeyringError, SealBrokenError
from config.keyring import Keyring
from config.sealing import OpeningKeys, SealingKey, key_id_of, place, public_key_of, seal, unseal

RING = Keyring("new", {"new": bytes(range(32)), "old": bytes(range(1, 33))})
PRIVATE = bytes(range(2, 34))
DOOR = SealingKey("p1", public_key_of(PRIVATE))
INSIDE = OpeningKeys(Keyring("p1", {"p1": PRIVATE, "p2": bytes(range(3, 35))}))
HERE, THERE = (
    place("column", "payments", "client_secret", "pay_1"),
    place("column", "payments", "client_secret", "pay_2"),
)


@given(st.binary(max_size=500), st.lists(st.text(max_size=20), max_size=4))
def test_what_is_sealed_opens_in_its_place(plaintext: bytes, parts: list[str]) -> None:
    where = place(*parts)
    assert unseal(RING, seal(RING, plaintext, where), where) == plaintext
    assert INSIDE.open("p1", DOOR.seal(plaintext, where), where) == plaintext


@given(st.data())
def test_a_changed_bit_anywhere_breaks_the_seal(data: st.DataObject) -> None:
    sealed = bytearray(seal(RING, b"4 pounds", HERE))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises((SealBrokenError, KeyringError)):
        unseal(RING, bytes(sealed), HERE)
    letter = bytearray(DOOR.seal(b"4 pounds", HERE))
    position = data.draw(st.integers(0, len(letter) * 8 - 1))
    letter[position // 8] ^= 1 << position % 8
    with pytest.raises(SealBrokenError):
        INSIDE.open("p1", bytes(letter), HERE)


@given(st.integers(0, 60))
def test_a_shortened_value_breaks_the_seal(length: int) -> None:
    sealed, letter = seal(RING, b"4 pounds", HERE), DOOR.seal(b"4 pounds", HERE)
    if length < len(sealed):
        with pytest.raises((SealBrokenError, KeyringError)):
            unseal(RING, sealed[:length], HERE)
    if length < len(letter):
        with pytest.raises(SealBrokenError):
            INSIDE.open("p1", letter[:length], HERE)


@given(st.binary(max_size=100))
def test_any_other_bytes_are_refused_in_our_own_words(junk: bytes) -> None:
    with pytest.raises((SealBrokenError, KeyringError)):
        unseal(RING, junk, HERE)
    with pytest.raises((SealBrokenError, KeyringError)):
        unseal(RING, b"\x01\x03new" + junk, HERE)
    with pytest.raises(SealBrokenError):
        INSIDE.open("p1", junk, HERE)


def test_a_value_moved_to_another_row_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        unseal(RING, seal(RING, b"secret", HERE), THERE)
    with pytest.raises(SealBrokenError):
        INSIDE.open("p1", DOOR.seal(b"secret", HERE), THERE)


def test_a_rotated_key_opens_what_it_sealed_and_the_new_one_seals() -> None:
    before = Keyring("old", {"old": RING.keys["old"]})
    assert unseal(RING, seal(before, b"secret", HERE), HERE) == b"secret"
    assert key_id_of(seal(before, b"secret", HERE)) == "old"
    assert key_id_of(seal(RING, b"secret", HERE)) == "new"


def test_a_key_that_was_taken_out_of_the_ring_is_named() -> None:
    sealed = seal(Keyring("gone", {"gone": bytes(32)}), b"secret", HERE)
    with pytest.raises(KeyringError, match="'gone'"):
        unseal(RING, sealed, HERE)
    with pytest.raises(KeyringError, match="'p9'"):
        INSIDE.open("p9", b"", HERE)


def test_another_private_key_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        INSIDE.open("p2", DOOR.seal(b"secret", HERE), HERE)


def test_sealing_twice_gives_different_bytes() -> None:
    assert seal(RING, b"secret", HERE) != seal(RING, b"secret", HERE)
    assert DOOR.seal(b"secret", HERE) != DOOR.seal(b"secret", HERE)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_places_are_never_written_alike(one: list[str], other: list[str]) -> None:
    assert (place(*one) == place(*other)) == (one == other)


def test_no_repr_shows_a_private_key() -> None:
    assert repr(INSIDE) == "OpeningKeys()"
