"""Key rings: the first key seals, every key opens, and nothing crooked gets in."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import KeyringError
from config.keyring import Keyring, encode_keyring, parse_keyring

KEY_IDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,15}", fullmatch=True)
KEYS = st.binary(min_size=32, max_size=32)
OLD, NEW = bytes(32), bytes(range(32))


@given(st.dictionaries(KEY_IDS, KEYS, min_size=1, max_size=5))
def test_a_ring_reads_back_as_it_was_written_with_the_first_key_current(keys: dict[str, bytes]) -> None:
    ring = parse_keyring(encode_keyring(keys))
    assert ring.keys == keys
    assert ring.current_id == next(iter(keys))
    assert ring.current == keys[ring.current_id]


def encoded(key: bytes) -> str:
    return base64.b64encode(key).decode()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        (" , ", "empty"),
        (encoded(OLD), "entry 1"),
        (f"k1:{encoded(OLD)},{encoded(NEW)}", "entry 2"),
        (f"K1:{encoded(OLD)}", "entry 1"),
        (f"a-name-that-is-too-long:{encoded(OLD)}", "entry 1"),
        (f"k1:{encoded(OLD)},k1:{encoded(NEW)}", "stands twice"),
        ("k1:????", "not base64"),
        ("k1:ä", "not base64"),
        (f"k1:{encoded(bytes(31))}", "31 bytes instead of 32"),
        (f"k1:{encoded(bytes(33))}", "33 bytes instead of 32"),
        ("k1:", "0 bytes"),
    ],
)
def test_a_crooked_ring_is_refused_with_the_place_and_without_the_key(text: str, words: str) -> None:
    with pytest.raises(KeyringError, match=words) as caught:
        parse_keyring(text)
    assert encoded(OLD) not in str(caught.value)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(KeyringError, match="no key 'k9'"):
        Keyring("k1", {"k1": OLD}).get("k9")


def test_a_rotated_key_still_verifies_what_it_signed() -> None:
    key_id, signature = Keyring("old", {"old": OLD}).sign(b"message")
    rotated = Keyring("new", {"new": NEW, "old": OLD})
    assert rotated.verifies(key_id, b"message", signature)
    assert rotated.sign(b"message")[0] == "new"


def test_a_signature_verifies_under_its_own_key_and_message_only() -> None:
    ring = Keyring("new", {"new": NEW, "old": OLD})
    key_id, signature = ring.sign(b"message")
    assert not ring.verifies("old", b"message", signature)
    assert not ring.verifies("unknown", b"message", signature)
    assert not ring.verifies(key_id, b"message!", signature)
    assert not ring.verifies(key_id, b"message", signature[:-1])
    assert not ring.verifies(key_id, b"message", b"")


def test_no_repr_shows_a_key() -> None:
    assert repr(Keyring("k1", {"k1": OLD})) == "Keyring(current_id='k1')"
