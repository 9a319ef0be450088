"""Ids: derived from who asked, where and under which key, so that a repeat is the same thing for ever."""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from config.sealing import place

ID_CHARACTERS = 26  # 130 bits in base32
_RAW_BYTES = 17  # the fewest bytes that fill 26 characters of base32


@dataclass(frozen=True, slots=True)
class Named:
    """What a job is known by: its id, the scope that is unique for ever, and the fingerprint of its body."""

    job_id: str
    scope: str
    fingerprint: str


def derived_id(prefix: str, key: bytes, *parts: str) -> str:
    """Return `<prefix>_` and 26 characters that only the holder of the key can derive from the parts."""
    digest = hmac.digest(key, place(prefix, *parts), hashlib.sha256)[:_RAW_BYTES]
    return f"{prefix}_{base64.b32encode(digest).decode().lower()[:ID_CHARACTERS]}"


def payment_id(key: bytes, client_id: str, route: str, idempotency_key: str) -> str:
    """Return the id of the payment that this request makes, whatever its body."""
    return derived_id("pay", key, client_id, route, idempotency_key)


def refund_id(key: bytes, client_id: str, route: str, idempotency_key: str) -> str:
    """Return the id of the refund that this request makes, whatever its body; the route names the payment."""
    return derived_id("ref", key, client_id, route, idempotency_key)


def invoice_id(key: bytes, client_id: str, route: str, idempotency_key: str) -> str:
    """Return the id of the invoice that this request makes, whatever its body."""
    return derived_id("inv", key, client_id, route, idempotency_key)


def batch_id(key: bytes, client_id: str, route: str, idempotency_key: str) -> str:
    """Return the id of the batch that this request makes, whatever its body."""
    return derived_id("bat", key, client_id, route, idempotency_key)


def job_id(key: bytes, client_id: str, route: str, idempotency_key: str, fingerprint: str) -> str:
    """Return the id of the job for this request with this body."""
    return derived_id("job", key, client_id, route, idempotency_key, fingerprint)


def system_id(key: bytes) -> str:
    """Return the name by which this Tollgate marks what it makes at Stripe; another's key makes another name."""
    return derived_id("sys", key, "stripe")


def idempotency_scope(key: bytes, client_id: str, route: str, idempotency_key: str) -> str:
    """Return a name for (client, route, key) that shows none of them; PostgreSQL keeps it unique for ever."""
    return derived_id("idk", key, client_id, route, idempotency_key)


def fingerprint(key: bytes, payload: bytes) -> str:
    """Return a keyed hash of the payload: equal for equal bodies, and tells nothing of them."""
    return hmac.new(key, payload, hashlib.sha256).hexdigest()
