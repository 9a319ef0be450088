"""Ids are the same for ever for the same request, and tell nothing of it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.contracts.identity import derived_id, fingerprint, idempotency_scope, job_id, payment_id, refund_id

KEY = bytes(range(32))
REQUEST = ("website", "POST /v1/payment-intents", "key-1")
TEXTS = st.text(max_size=10)


def test_ids_are_the_same_for_ever() -> None:
    assert payment_id(KEY, *REQUEST) == "pay_qnx62c5hx6gh7h5vbferml7g6s"
    assert job_id(KEY, *REQUEST, "ff") == "job_z2wr3ctophwc2qzgclbkhdp7wh"
    assert refund_id(KEY, "website", "payments/pay_1/refunds", "key-1") == "ref_ugiljarjzzjcysowage7zuppzx"
    assert idempotency_scope(KEY, *REQUEST) == "idk_2kcdygwrtbex4uo52aei3lkhlb"
    assert fingerprint(KEY, b'{"amount":1}') == "5de1c1c3cfb157e8a5258116b4ffd609b5d3d858796154d7c9bc1f3c51fb28f5"


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_different_parts_never_give_the_same_id(one: list[str], other: list[str]) -> None:
    assert (derived_id("job", KEY, *one) == derived_id("job", KEY, *other)) == (one == other)


@given(st.lists(TEXTS, max_size=4))
def test_an_id_has_a_prefix_and_26_characters(parts: list[str]) -> None:
    assert re.fullmatch(r"ref_[a-z2-7]{26}", derived_id("ref", KEY, *parts))


@pytest.mark.parametrize("position", range(3))
def test_another_client_route_or_key_is_another_payment(position: int) -> None:
    other = [*REQUEST]
    other[position] += "x"
    assert payment_id(KEY, *other) != payment_id(KEY, *REQUEST)
    assert idempotency_scope(KEY, *other) != idempotency_scope(KEY, *REQUEST)


def test_another_body_is_another_job_of_the_same_payment() -> None:
    assert job_id(KEY, *REQUEST, "aa") != job_id(KEY, *REQUEST, "bb")


def test_nobody_derives_an_id_without_the_key() -> None:
    assert payment_id(bytes(32), *REQUEST) != payment_id(KEY, *REQUEST)
    assert fingerprint(bytes(32), b"body") != fingerprint(KEY, b"body")


def test_the_ids_of_different_nouns_share_nothing_but_their_length() -> None:
    bodies = {derived_id(prefix, KEY, *REQUEST).partition("_")[2] for prefix in ("pay", "job", "idk", "ref", "inv")}
    assert len(bodies) == 5
