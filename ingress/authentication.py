"""Who is asking: API keys, sent as `Authorization: Bearer tg_…` (RFC 6750)."""

import hmac
import logging
import threading
import time
from collections.abc import Callable, Mapping

from flask import Request

from config.errors import ContractError
from config.settings import IngressSettings
from ingress.problems import ProblemError
from ingress.projections import ForgottenError, read_projection
from ingress.redis_gate import RedisGate
from tasks.contracts.api_keys import ApiKeyRecord, ApiKeyToken, parse_token

MAXIMUM_HEADER = 256  # characters; a key has some 60
SOON = {"Retry-After": "1"}  # seconds; the dispatcher fills an empty Redis within a few
CACHED_KEYS = 1024  # more clients than this ask Redis more often, which is all that happens

log = logging.getLogger(__name__)


class ApiKeys:
    """Knows API keys by asking Redis, and remembers the good ones for a few seconds.

    A revoked key works until its record here grows old. Unknown keys are never remembered: a new key works at once.

    Args:
        monotonic: a clock in seconds.
    """

    def __init__(
        self, settings: IngressSettings, gate: RedisGate, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._gate = gate
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._cached: dict[str, tuple[float, ApiKeyRecord]] = {}

    def authenticate(self, request: Request) -> ApiKeyRecord:
        """Return the record of the key that the request carries.

        Raises:
            ProblemError: `unauthenticated`, always in the same words; `redis_unavailable`, if Redis has forgotten
                everything and so cannot tell.
            RedisAwayError: if the key's record cannot be read.
        """
        token = _token(request.headers.get("Authorization", ""))
        if token is None or token.environment != self._settings.environment:
            raise _unauthenticated()
        record = self._record(token.key_id)
        if record is None or not hmac.compare_digest(record.hashed, token.hashed(self._settings.api_key_pepper)):
            raise _unauthenticated()
        return record

    def _record(self, key_id: str) -> ApiKeyRecord | None:
        now = self._monotonic()
        cached = self._cached.get(key_id)
        if cached is not None and now < cached[0]:
            return cached[1]
        fields = self._fields(key_id)
        if not fields:
            self._forget(key_id)
            return None
        try:
            record = ApiKeyRecord.from_fields(fields)
        except ContractError:
            log.exception("the record of an API key is unreadable", extra={"key_id": key_id})
            return None
        if not record.is_authentic(self._settings.api_key_pepper, key_id):
            log.error("the record of an API key was not signed with our pepper", extra={"key_id": key_id})
            return None
        self._remember(key_id, now + self._settings.api_key_cache_seconds, record)
        return record

    def _fields(self, key_id: str) -> Mapping[bytes, bytes]:
        keyspace = self._settings.redis.keyspace
        try:
            return read_projection(self._gate, keyspace, keyspace.api_key(key_id))
        except ForgottenError as error:
            log.warning("%s: is a dispatcher running?", error)
            detail = "API keys cannot be read just now, and nothing was accepted. Repeat the request."
            raise ProblemError("redis_unavailable", detail, headers=SOON) from error

    def _remember(self, key_id: str, until: float, record: ApiKeyRecord) -> None:
        with self._lock:
            self._cached.pop(key_id, None)
            while len(self._cached) >= CACHED_KEYS:
                self._cached.pop(next(iter(self._cached)))
            self._cached[key_id] = until, record

    def _forget(self, key_id: str) -> None:
        with self._lock:
            self._cached.pop(key_id, None)


def _token(header: str) -> ApiKeyToken | None:
    scheme, _, text = header.partition(" ")
    if len(header) > MAXIMUM_HEADER or scheme.lower() != "bearer":
        return None
    return parse_token(text.strip())


def _unauthenticated() -> ProblemError:
    return ProblemError(
        "unauthenticated",
        "The API key is missing, malformed, unknown or revoked.",
        headers={"WWW-Authenticate": "Bearer"},
    )
