"""Misses: what a read does not find in Redis is asked of a worker, through the journal, and waited for a moment.

So that it can't flood anybody it is bounded three times: each client has a bucket of its own for it, one thing is asked
for once in a while whatever the number of reads, and few may wait at once.
"""

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from flask import g, request

from ingress.accept import Submission, accept
from ingress.door import Door
from ingress.headers import wait_seconds
from ingress.outlook import HEADER
from ingress.problems import ProblemError
from ingress.views import SOON, MissingError
from ingress.waiting import LONGEST_WAIT
from tasks.contracts import identity
from tasks.contracts.api_keys import ApiKeyRecord
from tasks.contracts.shows import ShowViews

ROUTE = "views"
# A worker shows it within a tenth of a second or so; a second forgives a busy one, and is short enough to wait for.
WAIT_SECONDS = 1.0
SLOT_SECONDS = 10  # in which one thing is asked for once
# A person who looks through old bookings is slower. At this rate a client that asks for ids at random costs PostgreSQL
# 1,250 short-lived rows at most (`workers.jobs.forget`), and the journal some 1 kB a second.
RATE = 2.0  # a second
BURST = 50
T = TypeVar("T")

log = logging.getLogger(__name__)


def found(door: Door, client: ApiKeyRecord, wanted: ShowViews, read: Callable[[], T]) -> T:
    """Return what `read` finds, if need be after a worker has shown it.

    Args:
        door: what the process holds.
        client: who reads.
        wanted: what a worker is to show if it is missing.
        read: raises MissingError if it is.

    Raises:
        ProblemError: `rate_limited`, or `view_unavailable`: it could not be shown in time.
        RedisAwayError: if Redis does not answer.
    """
    latest = _Latest(read)
    hit = latest.read()
    door.counts.note(wanted.noun or wanted.subject_id.partition("_")[0], hit=hit)
    if hit:
        return latest.get()
    door.outlook.look()
    away = [part for part in ("dispatcher", "database") if door.outlook.parts()[part] == "away"]
    if away:
        detail = "It is not at hand, and cannot be fetched just now. Ask again after Retry-After."
        raise ProblemError("view_unavailable", detail, headers=SOON | {HEADER: away[0]})
    _ask(door, client, wanted)
    seconds = wait_seconds(request, LONGEST_WAIT) or WAIT_SECONDS
    door.waiting.wait(door.keyspace.waiters(wanted.subject_id), seconds, latest.read)
    return latest.get()


class _Latest(Generic[T]):
    """What was found, once it is."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._found: list[T] = []

    def read(self) -> bool:
        """Read again, and tell whether it is there."""
        try:
            self._found = [self._read()]
        except MissingError:
            return False
        return True

    def get(self) -> T:
        """Return it.

        Raises:
            ProblemError: `view_unavailable`: it is not there yet.
        """
        if not self._found:
            detail = "It is not at hand, and is being fetched. Ask again after Retry-After."
            raise ProblemError("view_unavailable", detail, headers=SOON)
        return self._found[0]


def _ask(door: Door, client: ApiKeyRecord, wanted: ShowViews) -> None:
    payload = wanted.to_bytes()
    key = f"{wanted.subject_id}/{int(door.clock() // SLOT_SECONDS)}"
    fingerprint = identity.fingerprint(door.settings.identity_key, payload)
    submission = Submission(
        job_id=identity.job_id(door.settings.identity_key, client.client_id, ROUTE, key, fingerprint),
        kind=wanted.KIND.name,
        version=wanted.KIND.version,
        client_id=client.client_id,
        route=ROUTE,
        idempotency_key=key,
        fingerprint=fingerprint,
        subject_id=wanted.subject_id,
        request_id=g.request_id,
        payload=payload,
        rate=min(client.rate or RATE, RATE),
        burst=min(client.burst or BURST, BURST),
        bucket=door.keyspace.misses(client.client_id),
        remembered=2 * SLOT_SECONDS,
    )
    try:
        accept(door, submission)
    except ProblemError as error:
        if error.kind.code == "rate_limited":
            detail = f"Of what is not at hand, this API key may ask for {BURST} at once and {RATE:g} a second."
            raise ProblemError("rate_limited", detail, headers=error.headers) from error
        # It was no command of the client's: whether it is kept is of no interest to them.
        log.warning("a missing view could not be asked for: %s", error)
        detail = "It is not at hand, and cannot be fetched just now. Ask again after Retry-After."
        raise ProblemError("view_unavailable", detail, headers=SOON) from error
    log.info("a missing view is asked for", extra={"job_id": submission.job_id, "subject_id": wanted.subject_id})
