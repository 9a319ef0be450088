"""Seat holds: times of RFC 3339 and nothing else, and what a payment's job is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from ingress.fields import load
from ingress.payment_intents import PaymentIntentSchema, payment_contract
from ingress.problems import ProblemError
from tests.builders.ingress import body

SCHEMA = PaymentIntentSchema()
HOLD = {"token": "hold_1", "expires_at": "2026-03-12T10:15:00Z", "late": "refund"}


def held(**changes: Any) -> dict[str, Any]:
    return body(seat_hold=HOLD | changes)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-03-12T10:15:00Z", "2026-03-12T10:15:00.000Z"),
        ("2026-03-12t10:15:00z", "2026-03-12T10:15:00.000Z"),
        ("2026-03-12T10:15:00.1239999999+01:00", "2026-03-12T09:15:00.123Z"),
        ("2026-03-12T23:59:59-00:30", "2026-03-13T00:29:59.000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),  # a leap second
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_time_is_read_into_utc_with_milliseconds(written: str, read: str) -> None:
    contract = payment_contract("pay_1", load(SCHEMA, held(expires_at=written)))
    assert (contract.hold_token, contract.hold_expires_at, contract.hold_late) == ("hold_1", read, "refund")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"expires_at": "2026-03-12T10:15:00"}, "expires_at", "not_a_time"),
        ({"expires_at": "2026-03-12"}, "expires_at", "not_a_time"),
        ({"expires_at": "2026-02-30T10:15:00Z"}, "expires_at", "not_a_time"),
        ({"expires_at": "2026-03-12T24:15:00Z"}, "expires_at", "not_a_time"),
        ({"expires_at": "2026-03-12T10:15:61Z"}, "expires_at", "not_a_time"),
        ({"expires_at": "2026-03-12T10:15:00+24:60"}, "expires_at", "not_a_time"),
        ({"expires_at": "\N{FULLWIDTH DIGIT TWO}026-03-12T10:15:00Z"}, "expires_at", "not_a_time"),
        ({"expires_at": 1_800_000_000}, "expires_at", "not_text"),
        ({"expires_at": None}, "expires_at", "null"),
        ({"token": ""}, "token", "too_short"),
        ({"token": "x" * 256}, "token", "too_long"),
        ({"late": "keep"}, "late", "late_unknown"),
        ({"seats": 2}, "seats", "unknown_field"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_wrong_with_a_hold_is_named(change: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(ProblemError) as refused:
        load(SCHEMA, held(**change))
    assert [(error.field, error.code) for error in refused.value.errors] == [(f"/seat_hold/{field}", code)]


def test_all_of_a_hold_must_be_said() -> None:
    with pytest.raises(ProblemError) as refused:
        load(SCHEMA, body(seat_hold={}))
    assert {error.field for error in refused.value.errors} == {
        "/seat_hold/token",
        "/seat_hold/expires_at",
        "/seat_hold/late",
    }


def test_without_a_hold_there_is_none_and_duplicates_are_flagged() -> None:
    contract = payment_contract("pay_1", load(SCHEMA, body()))
    assert (contract.hold_token, contract.hold_expires_at, contract.hold_late) == (None, None, None)
    assert contract.on_duplicate == "flag"
    assert payment_contract("pay_1", load(SCHEMA, body(on_duplicate="refuse"))).on_duplicate == "refuse"
    with pytest.raises(ProblemError):
        load(SCHEMA, body(on_duplicate="allow"))
