"""Stripe-Signature headers (https://docs.stripe.com/webhooks#verify-manually)."""

import hashlib
import hmac
from collections.abc import Sequence


def header(body: bytes, secrets: Sequence[str], moment: int) -> str:
    """Return the header for a body: the moment in seconds since 1970, and one ``v1`` signature per secret."""
    signed = str(moment).encode() + b"." + body
    signatures = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={moment}", *(f"v1={signature}" for signature in signatures)])
