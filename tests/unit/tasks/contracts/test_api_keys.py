"""API keys: recognised by their form, stored as keyed hashes, mistypings told from foreign keys without a look-up."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ContractError
from tasks.contracts.api_keys import ApiKeyRecord, issue_token, parse_token

# Of bytes that count up from zero: keys in customers' hands must go on working.
GOLDEN_KEY = "tg_sandbox_aaaqeaye_aaaqeayeaudaocajbifqydiob4ibceqtaxsgxx"
GOLDEN_HASH = "404a5b3ca7aefc45b43f8a3a1b4e54468f739b863d173614f41f3f9b1b162ad3"  # under 32 zero bytes
ENVIRONMENTS = st.sampled_from(["sandbox", "test", "live"])


def counting(length: int) -> bytes:
    return bytes(range(length))


@given(ENVIRONMENTS, st.binary(min_size=5, max_size=5), st.binary(min_size=20, max_size=20))
def test_an_issued_key_reads_back(environment: str, key_id: bytes, secret: bytes) -> None:
    token = issue_token(environment, {5: key_id, 20: secret}.__getitem__)
    assert parse_token(token.text) == token
    assert token.environment == environment
    assert len(token.key_id) == 8


def test_the_form_of_a_key_and_of_its_hash_never_change() -> None:
    token = issue_token("sandbox", counting)
    assert token.text == GOLDEN_KEY
    assert token.hashed(bytes(32)) == GOLDEN_HASH


@given(st.data())
def test_one_mistyped_character_is_noticed(data: st.DataObject) -> None:
    key = GOLDEN_KEY
    position = data.draw(st.integers(0, len(key) - 1))
    other = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567_A-"))
    mistyped = key[:position] + other + key[position + 1 :]
    assert (parse_token(mistyped) is None) == (mistyped != key)


@pytest.mark.parametrize("change", [str.upper, lambda key: key + "\n", lambda key: " " + key, lambda key: key[:-1]])
def test_anything_around_a_key_makes_it_none(change: object) -> None:
    assert callable(change)
    assert parse_token(change(GOLDEN_KEY)) is None


@given(st.text(max_size=100))
def test_any_other_text_is_none(text: str) -> None:
    assert parse_token(text) is None


def test_a_hash_depends_on_the_whole_key_and_on_the_pepper() -> None:
    token, other = issue_token("sandbox", counting), issue_token("live", counting)
    assert len({token.hashed(b"a"), token.hashed(b"b"), other.hashed(b"a")}) == 3
    assert token.hashed(b"a") == token.hashed(b"a")
    assert len(token.hashed(b"a")) == 64


@given(st.floats(0.01, 1e6), st.integers(1, 10**6))
def test_a_record_reads_back_from_redis(rate: float, burst: int) -> None:
    record = ApiKeyRecord("ab" * 32, "website", rate, burst).signed(b"p", "abcd2345")
    fields = {name.encode(): value.encode() for name, value in record.to_fields().items()}
    assert ApiKeyRecord.from_fields(fields) == record
    assert ApiKeyRecord.from_fields(fields).is_authentic(b"p", "abcd2345")


@pytest.mark.parametrize(
    "change", [{"hashed": "cd" * 32}, {"client_id": "other"}, {"rate": 51.0}, {"burst": 101}, {"mac": ""}, {"mac": "é"}]
)
def test_a_record_that_was_changed_is_not_authentic(change: dict[str, Any]) -> None:
    record = ApiKeyRecord("ab" * 32, "website", 50.0, 100).signed(b"p", "abcd2345")
    assert record.is_authentic(b"p", "abcd2345")
    assert not dataclasses.replace(record, **change).is_authentic(b"p", "abcd2345")


def test_a_record_is_authentic_for_its_own_key_and_pepper_only() -> None:
    record = ApiKeyRecord("ab" * 32, "website", 50.0, 100).signed(b"p", "abcd2345")
    assert not record.is_authentic(b"p", "abcd2346")
    assert not record.is_authentic(b"q", "abcd2345")


def test_whole_and_broken_rates_are_signed_alike() -> None:
    assert ApiKeyRecord("ab", "website", 50, 100).signed(b"p", "a") == ApiKeyRecord("ab", "website", 50.0, 100).signed(
        b"p", "a"
    )


@pytest.mark.parametrize(
    "change",
    [
        {b"h": None},
        {b"client": None},
        {b"rate": b"fast"},
        {b"burst": b"1.5"},
        {b"burst": None},
        {b"client": b"\xff"},
        {b"m": None},
    ],
)
def test_a_broken_record_is_refused(change: dict[bytes, bytes | None]) -> None:
    fields = {b"h": b"ab", b"client": b"website", b"rate": b"50.0", b"burst": b"100", b"m": b"ab"} | change
    with pytest.raises(ContractError):
        ApiKeyRecord.from_fields({name: value for name, value in fields.items() if value is not None})
