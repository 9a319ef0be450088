from __future__ import annotations

import base64

import pytest

from sandbox.simulator.errors import ApiError
from sandbox.simulator.keys import Caller, authenticate


@pytest.mark.parametrize(
    ("authorization", "caller"),
    [
        ("Bearer sk_test_a1", Caller.MERCHANT),
        ("bearer rk_test_a1", Caller.MERCHANT),
        ("Basic " + base64.b64encode(b"sk_test_a1:").decode(), Caller.MERCHANT),
        ("Bearer pk_test_a1", Caller.SHOPPER),
    ],
)
def test_test_keys_of_any_form_are_accepted(authorization: str, caller: Caller) -> None:
    assert authenticate(authorization) is caller


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer ", "Basic !", "Digest x", "Bearer sk_test_", "Bearer sk_live_1", "Bearer whsec_1"],
)
def test_everything_else_is_a_401(authorization: str | None) -> None:
    with pytest.raises(ApiError) as caught:
        authenticate(authorization)
    assert caught.value.status == 401


def test_an_error_never_repeats_a_whole_key() -> None:
    for key in ("sk_live_51SecretSecret", "whsec_SecretSecret"):
        with pytest.raises(ApiError) as caught:
            authenticate(f"Bearer {key}")
        assert "Secret" not in caught.value.message
