"""A journal entry is taken in only as the ingress wrote it, and read only by the workers."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import JournalNotReadableYetError, JournalRejectedError
from config.keyring import Keyring
from config.sealing import OpeningKeys, SealingKey, public_key_of
from tasks.contracts.journal import JournalEntry, seal_payload

MACS = Keyring("m2", {"m2": bytes(range(32)), "m1": bytes(range(1, 33))})
PRIVATE = bytes(range(2, 34))
DOOR = SealingKey("p1", public_key_of(PRIVATE))
INSIDE = OpeningKeys(Keyring("p1", {"p1": PRIVATE}))
PAYLOAD = b'{"amount":12000}'
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.integers(0, 2**63)


def entry(**changes: Any) -> JournalEntry:
    fields: dict[str, Any] = {
        "job_id": "job_1",
        "kind": "payments.create",
        "version": 1,
        "client_id": "website",
        "route": "POST /v1/payment-intents",
        "scope": "idk_1",
        "fingerprint": "ff",
        "subject_id": "pay_1",
        "request_id": "req_1",
        "accepted_ms": 1_767_225_600_000,
        "seal_key_id": DOOR.key_id,
    } | changes
    sealed = seal_payload(DOOR, PAYLOAD, job_id=fields["job_id"], kind=fields["kind"], client_id=fields["client_id"])
    return JournalEntry(**{"sealed": sealed, **fields}).signed(MACS)


def stored(written: JournalEntry) -> dict[bytes, bytes]:
    return {name.encode(): value for name, value in written.to_fields().items()}


def test_an_entry_survives_redis_and_opens() -> None:
    read = JournalEntry.from_fields(stored(entry()))
    assert read == entry(sealed=read.sealed)
    assert read.open(MACS, INSIDE) == PAYLOAD


@given(TEXT, TEXT, NUMBER, TEXT, TEXT, NUMBER)
def test_any_text_survives_redis(job: str, kind: str, version: int, client: str, route: str, accepted: int) -> None:
    written = entry(
        job_id=job, kind=kind, version=version, client_id=client, route=route, accepted_ms=accepted, request_id=route
    )
    read = JournalEntry.from_fields(stored(written))
    assert read == written
    assert read.open(MACS, INSIDE) == PAYLOAD


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(JournalEntry)])
def test_a_change_of_any_field_is_rejected(field: str) -> None:
    value = getattr(entry(), field)
    changed = value + (b"x" if isinstance(value, bytes) else 1 if isinstance(value, int) else "x")
    forged = dataclasses.replace(entry(), **{field: changed})
    expected = JournalNotReadableYetError if field == "mac_key_id" else JournalRejectedError
    with pytest.raises(expected, match="MAC"):
        forged.open(MACS, INSIDE)


def test_text_shifted_from_one_field_into_the_next_is_rejected() -> None:
    shifted = dataclasses.replace(entry(scope="ab", fingerprint="cd"), scope="abc", fingerprint="d")
    with pytest.raises(JournalRejectedError, match="MAC"):
        shifted.open(MACS, INSIDE)


def test_an_entry_of_one_who_can_write_redis_but_has_no_key_is_rejected() -> None:
    forged = dataclasses.replace(entry(), mac_key_id="", mac=b"")
    with pytest.raises(JournalRejectedError, match="MAC of job_1 is wrong"):
        forged.open(MACS, INSIDE)
    with pytest.raises(JournalRejectedError):
        entry().signed(Keyring("m2", {"m2": bytes(32)})).open(MACS, INSIDE)


def test_an_entry_under_a_key_that_is_not_here_yet_is_not_called_forged() -> None:
    with pytest.raises(JournalNotReadableYetError, match="MAC key 'm9' of job_1 is unknown here"):
        entry().signed(Keyring("m9", {"m9": bytes(32)})).open(MACS, INSIDE)


@pytest.mark.parametrize("field", ["job_id", "kind", "client_id"])
def test_a_payload_moved_to_another_entry_does_not_open_even_under_a_right_mac(field: str) -> None:
    moved = dataclasses.replace(entry(), **{field: "other"}).signed(MACS)
    with pytest.raises(JournalRejectedError, match="cannot be opened"):
        moved.open(MACS, INSIDE)


def test_an_unknown_sealing_key_is_named() -> None:
    with pytest.raises(JournalNotReadableYetError, match="no key 'p9'"):
        entry(seal_key_id="p9").open(MACS, INSIDE)


def test_an_entry_signed_before_a_rotation_still_opens() -> None:
    assert entry().signed(Keyring("m1", {"m1": MACS.keys["m1"]})).open(MACS, INSIDE) == PAYLOAD


@pytest.mark.parametrize("field", [name.decode() for name in stored(entry())])
def test_a_missing_field_is_named(field: str) -> None:
    fields = stored(entry())
    del fields[field.encode()]
    with pytest.raises(JournalRejectedError, match=f"no field b?'{field}'"):
        JournalEntry.from_fields(fields)


@pytest.mark.parametrize(
    ("field", "value"), [(b"version", b"one"), (b"accepted_ms", b"1.5"), (b"job_id", b"\xff"), (b"accepted_ms", b"")]
)
def test_an_unreadable_field_is_rejected(field: bytes, value: bytes) -> None:
    with pytest.raises(JournalRejectedError, match="unreadable"):
        JournalEntry.from_fields(stored(entry()) | {field: value})


@given(st.dictionaries(st.sampled_from(sorted(stored(entry()))), st.binary(max_size=40)))
def test_whatever_lies_in_the_stream_is_rejected_in_our_own_words(junk: dict[bytes, bytes]) -> None:
    fields = stored(entry())
    if all(fields[name] == value for name, value in junk.items()):
        return
    with pytest.raises((JournalRejectedError, JournalNotReadableYetError)):
        JournalEntry.from_fields(fields | junk).open(MACS, INSIDE)


def test_neither_the_fields_nor_a_repr_show_the_payload() -> None:
    written = entry()
    assert PAYLOAD not in b"".join(stored(written).values())
    assert "12000" not in repr(written)
    assert "sealed" not in repr(written)
