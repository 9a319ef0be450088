"""Stripe's webhook signatures: `t=<seconds>,v1=<hex>` over `<t>.<body>` with HMAC-SHA256.

https://docs.stripe.com/webhooks#verify-manually. Unlike stripe-python's verifier, a time in the future is refused too.
"""

import hashlib
import hmac
import re
from collections.abc import Iterable

MAXIMUM_HEADER = 4096  # characters; Stripe sends some 80 for each secret, and two while one is being rotated
_SECONDS = re.compile(r"\s*[0-9]{1,12}\s*", re.ASCII)


def is_signed(header: str, body: bytes, secrets: Iterable[str], *, now: float, tolerance: float) -> bool:
    """Tell whether one of the header's signatures is that of one of the secrets, and its time is near.

    Args:
        header: the `Stripe-Signature` header; may hold anything.
        body: as it came, to the byte.
        secrets: several while one is being rotated.
        now: seconds since 1970, UTC.
        tolerance: seconds that the time may be off, either way.
    """
    if len(header) > MAXIMUM_HEADER:
        return False
    pairs = [item.partition("=")[::2] for item in header.split(",")]
    times = [value for name, value in pairs if name == "t"]
    signatures = [value.encode("latin-1", "replace") for name, value in pairs if name == "v1"]
    if not times or not signatures or not _SECONDS.fullmatch(times[0]):
        return False
    seconds = int(times[0])
    if abs(now - seconds) > tolerance:
        return False
    signed = b"%d.%s" % (seconds, body)
    matches = False
    for secret in secrets:
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().encode()
        for signature in signatures:
            matches |= hmac.compare_digest(expected, signature)
    return matches
