"""API keys: which form a key has, and what it may do (https://docs.stripe.com/keys)."""

import base64
import binascii
import re
from enum import Enum
from typing import Final

from sandbox.simulator.errors import UNAUTHORIZED, ApiError

SECRET: Final = re.compile(r"(?:sk|rk)_test_\w+")
PUBLISHABLE: Final = re.compile(r"pk_test_\w+")
LIVE: Final = re.compile(r"[a-z]+_live")
SHOWN_PREFIX: Final = 8  # how much of a wrong key an error repeats, so that a real one is never echoed whole


class Caller(Enum):
    """Who asks: the merchant's server, or a shopper's browser."""

    MERCHANT = "merchant"
    SHOPPER = "shopper"


def authenticate(authorization: str | None) -> Caller:
    """Return who asks, by the Authorization header: Bearer, or Basic with the key as user name.

    Every test key of the right form is accepted, and all of them belong to the same account.

    Raises:
        ApiError: 401, there is no key, it is none of Stripe's, or it is a live key.
    """
    key = _key(authorization)
    if key is None:
        raise ApiError(
            UNAUTHORIZED,
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details.",
        )
    if SECRET.fullmatch(key):
        return Caller.MERCHANT
    if PUBLISHABLE.fullmatch(key):
        return Caller.SHOPPER
    if LIVE.match(key):
        raise ApiError(
            UNAUTHORIZED,
            f"This is the Stripe simulator, which never takes a live key ({key[:SHOWN_PREFIX]}...). Use a test key "
            "such as sk_test_simulator, and roll the live key if it was sent here by mistake.",
        )
    raise ApiError(UNAUTHORIZED, f"Invalid API Key provided: {key[:SHOWN_PREFIX]}{'*' * len(key[SHOWN_PREFIX:])}")


def require_merchant(caller: Caller) -> None:
    """Let only a secret key pass.

    Raises:
        ApiError: 401, the key is publishable.
    """
    if caller is not Caller.MERCHANT:
        raise ApiError(
            UNAUTHORIZED,
            "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list "
            "of your API keys at https://dashboard.stripe.com/account/apikeys.",
            code="secret_key_required",
        )


def _key(authorization: str | None) -> str | None:
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip() or None
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return decoded.partition(":")[0] or None
