"""Idempotency keys, to the letter of https://docs.stripe.com/api/idempotent_requests.

A key belongs to the account. The first result of a request that began to execute is stored, an error and a 500
included, and replayed to every repetition. What is refused before execution (a wrong API key, invalid parameters, a
rate limit) is not stored. Keys are forgotten after 24 hours.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import BAD_REQUEST, CONFLICT, ApiError
from sandbox.simulator.params import Raw
from sandbox.simulator.state import Change

MAX_KEY_LENGTH: Final = 255
REMEMBERED_SECONDS: Final = 24 * 60 * 60


class KeysInUse:
    """The keys whose first request is still being answered. The state's lock guards it."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def take(self, change: Change, key: str, path: str, fingerprint: str) -> JsonObject | None:
        """Return the stored result of a key, or None after reserving the key for the caller.

        Raises:
            ApiError: 409, another request is using the key; 400, it was first used for something else.
        """
        if len(key) > MAX_KEY_LENGTH:
            raise ApiError(
                BAD_REQUEST,
                f"Idempotency keys can only be up to {MAX_KEY_LENGTH} characters long; the one sent has {len(key)}.",
                type="idempotency_error",
            )
        if key in self._keys:
            raise ApiError(
                CONFLICT,
                "There is currently another in-progress request using this Idempotent Key (that probably means you "
                f"submitted twice, and the other request is still going through): {key}. Please try again later.",
                type="idempotency_error",
                code="idempotency_key_in_use",
                should_retry=True,
            )
        stored = change.state.get("idempotency", key)
        if stored is None or stored["created"] + REMEMBERED_SECONDS <= change.clock.now():
            self._keys.add(key)
            return None
        if stored["path"] != path:
            raise _reused(key, f"for the same endpoint they were first used for ('{stored['path']}' vs. '{path}')")
        if stored["fingerprint"] != fingerprint:
            raise _reused(key, "with the same parameters they were first used with")
        return stored

    def give_back(self, key: str) -> None:
        """End a reservation."""
        self._keys.discard(key)


def fingerprint(params: Mapping[str, Raw]) -> str:
    """Return a digest of parameters that does not depend on their order."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def stored_result(
    change: Change, key: str, path: str, digest: str, *, status: int, body: str, should_retry: bool | None
) -> JsonObject:
    """Return what is remembered under a key."""
    return {
        "id": key,
        "path": path,
        "fingerprint": digest,
        "created": change.clock.now(),
        "request": change.request_id,
        "status": status,
        "body": body,
        "should_retry": should_retry,
    }


def _reused(key: str, how: str) -> ApiError:
    return ApiError(
        BAD_REQUEST,
        f"Keys for idempotent requests can only be used {how}. Try using a key other than '{key}' if you meant to "
        "execute a different request.",
        type="idempotency_error",
    )
