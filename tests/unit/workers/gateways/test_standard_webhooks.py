"""Signatures are those of Standard Webhooks."""

from __future__ import annotations

import base64

from workers.gateways.standard_webhooks import PREFIX, new_secret, signed_headers

# From the specification, "Symmetric Signatures", and its libraries' tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_is_the_specifications() -> None:
    assert signed_headers(MESSAGE, TIMESTAMP, BODY, [SECRET]) == {
        "webhook-id": MESSAGE,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_while_a_secret_is_rotated_both_sign_with_a_space_between() -> None:
    other = new_secret()
    signatures = signed_headers(MESSAGE, TIMESTAMP, BODY, [other, SECRET])["webhook-signature"].split(" ")
    assert signatures[1] == SIGNATURE
    assert signatures[0] == signed_headers(MESSAGE, TIMESTAMP, BODY, [other])["webhook-signature"] != SIGNATURE


def test_each_part_of_a_message_is_signed() -> None:
    others = (("msg_other", TIMESTAMP, BODY), (MESSAGE, TIMESTAMP + 1, BODY), (MESSAGE, TIMESTAMP, BODY + b" "))
    assert all(signed_headers(*other, [SECRET])["webhook-signature"] != SIGNATURE for other in others)


def test_a_new_secret_has_the_length_that_the_specification_asks_for_and_is_never_the_same() -> None:
    secret = new_secret()
    assert 24 <= len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) <= 64
    assert secret.startswith("whsec_")
    assert secret != new_secret()
