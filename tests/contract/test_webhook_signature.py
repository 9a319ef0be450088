"""Our check of Stripe's signatures says what stripe-python's says, but for times in the future."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from ingress.stripe_signature import is_signed
from tests.builders.ingress import SECRETS, sign

BODY = '{"id":"evt_1","name":"Zoë"}'.encode()
NOW = int(time.time())
GOOD = sign(BODY, SECRETS[0], NOW)
DIGEST = GOOD.partition("v1=")[2]


@pytest.fixture(scope="module", autouse=True)
def standing_clock() -> Iterator[None]:
    """The headers are made when the tests are collected, which may be long ago."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: float(NOW))
        yield


def theirs(header: str, body: bytes, secret: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(body, header, secret, tolerance=300))
    except (SignatureVerificationError, TypeError):  # TypeError: what a signature outside ASCII raises there
        return False


def ours(header: str, body: bytes, *secrets: str) -> bool:
    return is_signed(header, body, secrets, now=time.time(), tolerance=300)


SAMPLES = [
    GOOD,
    f"v1={DIGEST},t={NOW}",
    f"t={NOW},v1=00,v1={DIGEST}",
    f"t={NOW},v0={DIGEST}",
    f"t={NOW},v1={DIGEST},v0=1,foo",
    f"t={NOW},v1={DIGEST.upper()}",
    f"t={NOW}",
    f"v1={DIGEST}",
    f"t={NOW + 1},v1={DIGEST}",
    f"t={NOW},t=1,v1={DIGEST}",
    f"t= {NOW},v1={DIGEST}",
    f"t=x,v1={DIGEST}",
    f"t=,v1={DIGEST}",
    f"t={NOW},v1=",
    f"t={NOW},v1",
    "",
    ",,,",
    "===",
    "t=1e3,v1=1",
    f"t=-{NOW},v1={DIGEST}",
    sign(BODY, SECRETS[0], NOW - 200),
    sign(BODY, SECRETS[0], NOW - 400),
    sign(BODY, SECRETS[1], NOW),
    sign(BODY + b" ", SECRETS[0], NOW),
    f"t={NOW},v1=\xff",
]


# Numbered, since the headers hold the time: xdist's workers must name the same tests.
@pytest.mark.parametrize("header", SAMPLES, ids=range(len(SAMPLES)))
def test_a_header_is_judged_as_stripe_judges_it(header: str) -> None:
    assert ours(header, BODY, SECRETS[0]) == theirs(header, BODY, SECRETS[0])


def test_good_ones_are_among_the_samples() -> None:
    assert ours(GOOD, BODY, SECRETS[0])
    assert sum(theirs(header, BODY, SECRETS[0]) for header in SAMPLES) >= 4


@given(st.text(max_size=100), st.binary(max_size=50))
def test_no_header_or_body_is_signed_by_chance_or_fails_otherwise(header: str, body: bytes) -> None:
    assert not ours(header, body, *SECRETS)


def test_every_secret_of_a_rotation_counts() -> None:
    assert ours(sign(BODY, SECRETS[1], NOW), BODY, *SECRETS)


def test_a_time_in_the_future_is_refused_though_stripe_takes_it() -> None:
    header = sign(BODY, SECRETS[0], NOW + 400)
    assert theirs(header, BODY, SECRETS[0])
    assert not ours(header, BODY, SECRETS[0])


def test_bytes_that_are_no_text_can_be_signed_too() -> None:
    assert ours(sign(b"\xff\x00", SECRETS[0], NOW), b"\xff\x00", SECRETS[0])


def test_an_endless_header_is_refused() -> None:
    assert not ours(GOOD + ",v1=0" * 2000, BODY, SECRETS[0])


def test_a_number_with_any_sign_of_hugeness_is_refused() -> None:
    assert not ours(f"t={'9' * 3000},v1={DIGEST}", BODY, SECRETS[0])
