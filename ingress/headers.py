"""Reading request headers: Idempotency-Key, Prefer and X-Request-Id."""

import re

from flask import Request

from ingress.problems import ProblemError

MAXIMUM_KEY = 255  # characters, as Stripe's
_PRINTABLE = re.compile(r"[\x20-\x7e]+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')  # an RFC 8941 string
_WAIT = re.compile(r"wait\s*=\s*\"?(\d{1,9})\"?", re.IGNORECASE)


def idempotency_key(request: Request) -> str:
    """Return the Idempotency-Key, without its quotes if it is a quoted string (RFC 8941).

    The web server joins several headers of a name with commas, as RFC 9110 lets it. A bare key with a comma may
    therefore be two keys, and is refused; in quotes it is one.

    Raises:
        ProblemError: `idempotency_key_missing` or `idempotency_key_invalid`.
    """
    raw = request.headers.get("Idempotency-Key", "").strip(" \t")
    if not raw:
        raise ProblemError("idempotency_key_missing", "Send an Idempotency-Key header, one for each payment.")
    quoted = _QUOTED.fullmatch(raw)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else raw
    if quoted is None and "," in raw:
        raise ProblemError(
            "idempotency_key_invalid",
            "Send one Idempotency-Key. If yours holds a comma, put it in quotes: it can't be told from two headers.",
        )
    if len(key) > MAXIMUM_KEY or not _PRINTABLE.fullmatch(key):
        raise ProblemError(
            "idempotency_key_invalid", f"Idempotency-Key must be 1 to {MAXIMUM_KEY} printable ASCII characters."
        )
    return key


def wait_seconds(request: Request, longest: int) -> int:
    """Return the seconds that `Prefer: wait=N` (RFC 7240) asks for, at most the longest; 0 if it asks for none.

    Preferences that are not understood are ignored, as the RFC wants.
    """
    for header in request.headers.getlist("Prefer"):
        for preference in header.split(","):
            match = _WAIT.fullmatch(preference.partition(";")[0].strip())
            if match is not None:
                return min(int(match[1]), longest)
    return 0
