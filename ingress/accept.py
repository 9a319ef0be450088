"""Accepting: one Redis script, one round trip, and then the job is kept."""

import hashlib
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, ResponseError

from config.errors import RedisAwayError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.redis_gate import AnswerLostError, NotSentError
from tasks.contracts.identity import idempotency_scope
from tasks.contracts.journal import JournalEntry, seal_payload
from tasks.contracts.steps import Step
from tasks.contracts.views import FIRST_VERSION, SealedView

SCRIPT = Path(__file__).with_name("accept.lua").read_text(encoding="utf-8")
SCRIPT_HASH = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()  # the name EVALSHA knows it by
FIRST_EPOCH = 0
# Replies that say the script's first write was refused: it promised nothing.
_REFUSED = ("MISCONF", "NOREPLICAS", "CLUSTERDOWN", "MASTERDOWN", "BUSY", "NOPERM")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be accepted.

    Args:
        rate: requests per second that its client may make; 0 for no limit.
        burst: how many it may make at once.
        views: the first views, by their Redis keys.
        bucket: the Redis key of the rate limit's bucket, if it is not the client's.
        remembered: seconds for which Redis remembers the idempotency key, if not as long as for commands.
    """

    job_id: str
    kind: str
    version: int
    client_id: str
    route: str
    idempotency_key: str = field(repr=False)
    fingerprint: str
    subject_id: str
    request_id: str
    payload: bytes = field(repr=False)
    rate: float = 0.0
    burst: int = 0
    views: Mapping[str, SealedView] = field(default_factory=dict)
    bucket: str | None = None
    remembered: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The submission is kept.

    Args:
        replayed: whether it had been accepted before under this key.
        views_stand: whether there were views already, which may tell more than the first ones.
    """

    replayed: bool
    views_stand: bool


def accept(door: Door, submission: Submission) -> Receipt:
    """Run the accept script.

    Raises:
        ProblemError: `rate_limited`, `idempotency_key_reused`, `redis_unproven` or `acceptance_unknown`.
        RedisAwayError: Redis is away; nothing was accepted.
    """
    door.outlook.require_durable()
    scope = idempotency_scope(
        door.settings.identity_key, submission.client_id, submission.route, submission.idempotency_key
    )
    verdict, number = _run(door, *_arguments(door, submission, scope))
    if verdict == b"limited":
        seconds = max(1, math.ceil(number / 1000))
        raise ProblemError(
            "rate_limited",
            f"This API key may make {submission.rate:g} requests per second, and {submission.burst} at once.",
            headers={"Retry-After": str(seconds)},
        )
    if verdict == b"conflict":
        raise ProblemError(
            "idempotency_key_reused", "This Idempotency-Key was used with another body; this body was not accepted."
        )
    replayed = bool(verdict == b"replayed")
    return Receipt(replayed=replayed, views_stand=replayed or number == 1)


def _arguments(door: Door, submission: Submission, scope: str) -> tuple[list[str], list[Any]]:
    settings, keyspace = door.settings, door.keyspace
    keys = [
        submission.bucket or keyspace.rate(submission.client_id),
        keyspace.idempotency(scope),
        keyspace.journal,
        *submission.views,
    ]
    values: list[Any] = [
        submission.rate,
        submission.burst,
        submission.fingerprint,
        f"{submission.fingerprint} {submission.job_id} {submission.subject_id}",
        submission.remembered or settings.idempotency_seconds,
        settings.view_seconds,
        FIRST_EPOCH,
        FIRST_VERSION,
    ]
    for key, view in submission.views.items():
        values.append(view.seal(settings.view_keys, key, FIRST_EPOCH, FIRST_VERSION))
    for name, value in _entry(door, submission, scope).to_fields().items():
        values += [name, value]
    return keys, values


def _entry(door: Door, submission: Submission, scope: str) -> JournalEntry:
    settings = door.settings
    sealed = seal_payload(
        settings.journal_public_key,
        submission.payload,
        job_id=submission.job_id,
        kind=submission.kind,
        client_id=submission.client_id,
    )
    return JournalEntry(
        job_id=submission.job_id,
        kind=submission.kind,
        version=submission.version,
        client_id=submission.client_id,
        route=submission.route,
        scope=scope,
        fingerprint=submission.fingerprint,
        subject_id=submission.subject_id,
        request_id=submission.request_id,
        accepted_ms=round(door.clock() * 1000),
        seal_key_id=settings.journal_public_key.key_id,
        sealed=sealed,
    ).signed(settings.journal_mac_keys)


def _run(door: Door, keys: list[str], values: list[Any]) -> tuple[bytes, int]:
    arguments = (len(keys), *keys, *values)
    try:
        with Step.ACCEPT:
            try:
                reply = _ask(door, "EVALSHA", SCRIPT_HASH, *arguments)
            except NoScriptError:
                reply = _ask(door, "EVAL", SCRIPT, *arguments)
    except AnswerLostError as error:
        log.warning("an acceptance is unknown: %s", error)
        raise _unknown() from error
    except ResponseError as error:
        log.error("the accept script was refused: %s", error)  # noqa: TRY400 - the trace tells nothing
        if isinstance(error, (OutOfMemoryError, ReadOnlyError)) or str(error).startswith(_REFUSED):
            raise NotSentError("Redis takes no writes just now") from error
        raise _unknown() from error
    return reply[0], reply[1]


def _ask(door: Door, *command: Any) -> Any:
    """Send the command, and in the same round trip now and then what the outlook wants to know."""
    try:
        reply, *told = door.gate.ask(command, *door.outlook.questions())
    except RedisAwayError:
        door.outlook.doubt()
        raise
    door.outlook.hear(told)
    if isinstance(reply, ResponseError):
        raise reply
    return reply


def _unknown() -> ProblemError:
    return ProblemError(
        "acceptance_unknown",
        "The request may or may not have been accepted. Repeat it with the same Idempotency-Key.",
        headers={"Retry-After": "1"},
    )
