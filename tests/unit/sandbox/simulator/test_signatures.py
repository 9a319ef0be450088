from __future__ import annotations

import time

import pytest
import stripe

from sandbox.simulator.signatures import header


def test_stripes_own_verifier_accepts_each_secret() -> None:
    body = '{"name": "Zoë"}'
    value = header(body.encode(), ["whsec_a", "whsec_b"], int(time.time()))
    for secret in ("whsec_a", "whsec_b"):
        assert stripe.WebhookSignature.verify_header(body, value, secret, tolerance=60)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, value, "whsec_c", tolerance=60)
