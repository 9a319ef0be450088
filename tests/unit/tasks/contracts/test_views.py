"""A view opens only under its own key, epoch and version, and never shows itself to whoever reads Redis."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import KeyringError, SealBrokenError
from config.keyring import Keyring
from tasks.contracts.views import FINAL_JOB_STATES, FIRST_VERSION, JobView, PaymentView

RING = Keyring("v2", {"v2": bytes(range(32)), "v1": bytes(range(1, 33))})
KEY = "tg:view:job_1"
JOB = JobView(
    "job_1", "website", "payments.create", "refused", "pay_1", 2, {"code": "amount_too_small", "detail": "£"}, "t", "u"
)
PAYMENT = PaymentView(
    "pay_1",
    "website",
    "job_1",
    "declined",
    12_000,
    0,
    0,
    "gbp",
    "B-1",
    "pi_1",
    "pi_1_secret_2",
    {"code": "x"},
    "t",
    "u",
)


def stored(view: JobView | PaymentView, epoch: int, version: int, ring: Keyring = RING) -> dict[bytes, bytes]:
    return {b"e": str(epoch).encode(), b"v": str(version).encode(), b"d": view.seal(ring, KEY, epoch, version)}


@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_view_reads_back(epoch: int, version: int) -> None:
    assert JobView.open(RING, KEY, stored(JOB, epoch, version)) == JOB
    assert PaymentView.open(RING, KEY, stored(PAYMENT, epoch, version)) == PAYMENT


def test_a_view_under_another_key_does_not_open() -> None:
    with pytest.raises(SealBrokenError):
        JobView.open(RING, "tg:view:job_2", stored(JOB, 1, 1))


@pytest.mark.parametrize("change", [{b"e": b"2"}, {b"v": b"2"}, {b"e": b"2", b"v": b"2"}])
def test_an_old_view_put_forward_as_a_new_one_does_not_open(change: dict[bytes, bytes]) -> None:
    with pytest.raises(SealBrokenError):
        JobView.open(RING, KEY, stored(JOB, 1, 1) | change)


@pytest.mark.parametrize("change", [{b"e": None}, {b"v": None}, {b"d": None}, {b"e": b"x"}, {b"v": b""}, {b"d": b""}])
def test_what_is_no_view_is_refused_in_our_own_words(change: dict[bytes, bytes | None]) -> None:
    fields = {name: value for name, value in (stored(JOB, 1, 1) | change).items() if value is not None}
    with pytest.raises(SealBrokenError):
        JobView.open(RING, KEY, fields)


def test_a_view_of_a_rotated_key_opens_and_one_of_a_removed_key_is_named() -> None:
    old = Keyring("v1", {"v1": RING.keys["v1"]})
    assert JobView.open(RING, KEY, stored(JOB, 1, 1, old)) == JOB
    with pytest.raises(KeyringError, match="'v2'"):
        JobView.open(old, KEY, stored(JOB, 1, 1))


def test_redis_holds_nothing_readable() -> None:
    sealed = b"".join(stored(PAYMENT, 1, 1).values())
    for word in (b"pi_1", b"secret", b"B-1", b"website", b"12000"):
        assert word not in sealed


def test_everything_projected_is_newer_than_what_the_accept_script_writes() -> None:
    assert FIRST_VERSION == 0


def test_a_wait_ends_with_outcomes_only() -> None:
    assert {"done", "refused", "dead", "cancelled"} == FINAL_JOB_STATES


def test_a_view_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        JOB.state = "done"
