"""Reading views: a client sees its own jobs, payments and refunds, and of the others not even that they exist."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from config.errors import KeyringError, SealBrokenError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.projections import ForgottenError, read_projection
from ingress.replies import fields_of
from tasks.contracts.views import JobView, PaymentView, RefundView, Subject

SOON = {"Retry-After": "1"}  # seconds
V = TypeVar("V", JobView, PaymentView, RefundView)


@dataclass(frozen=True, slots=True)
class Unseen:
    """A payment that a job is about, and of which nothing has been read: it may be another's, or none."""

    NOUN: ClassVar[str] = "payment"

    id: str


About = Subject | Unseen

log = logging.getLogger(__name__)


def read_view(door: Door, kind: type[V], name: str, client_id: str) -> tuple[V, str] | None:
    """Return the view of one thing of this client with its entity tag, or None.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened, or Redis has forgotten everything.
    """
    key = door.keyspace.view(name)
    fields = _fields(door, key)
    view = _open(door, kind, key, fields)
    return (view, _tag(fields)) if view is not None and view.client_id == client_id else None


def glimpse(door: Door, kind: type[V], name: str, client_id: str) -> V | None:
    """Return the view of one thing of this client if it is there just now, and asks nobody for it if it is not.

    Raises:
        RedisAwayError: if Redis does not answer.
    """
    key = door.keyspace.view(name)
    try:
        view = _open(door, kind, key, fields_of(door.gate.ask_one("HGETALL", key)))
    except ProblemError:
        return None
    return view if view is not None and view.client_id == client_id else None


def read_both(door: Door, job: JobView, subject: About) -> tuple[JobView | None, Subject | None]:
    """Return newer views of a job and of what it is about, read in one round trip; None for what is not there.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened.
    """
    job_key, subject_key = door.keyspace.view(job.id), door.keyspace.view(subject.id)
    replies = door.gate.ask(("HGETALL", job_key), ("HGETALL", subject_key))
    newer_job = _open(door, JobView, job_key, fields_of(replies[0]))
    newer = _open_subject(door, subject, subject_key, fields_of(replies[1]))
    return (
        newer_job if newer_job is not None and newer_job.client_id == job.client_id else None,
        newer if newer is not None and newer.client_id == job.client_id else None,
    )


def _open_subject(door: Door, subject: About, key: str, fields: Mapping[bytes, bytes]) -> Subject | None:
    if isinstance(subject, RefundView):
        return _open(door, RefundView, key, fields)
    return _open(door, PaymentView, key, fields)


def _fields(door: Door, key: str) -> Mapping[bytes, bytes]:
    try:
        return read_projection(door.gate, door.keyspace, key)
    except ForgottenError as error:
        raise ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON) from error


def _open(door: Door, kind: type[V], key: str, fields: Mapping[bytes, bytes]) -> V | None:
    try:
        return kind.open(door.settings.view_keys, key, fields) if fields else None
    except (SealBrokenError, KeyringError, TypeError) as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> ProblemError:
    log.error("a view cannot be opened: check TOLLGATE_VIEW_KEYS", extra={"key": key, "reason": type(error).__name__})
    return ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON)


def _tag(fields: Mapping[bytes, bytes]) -> str:
    return f"{int(fields[b'e'])}-{int(fields[b'v'])}"
