"""Reading views: a client sees its own things, and of others' not even that they exist."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from config.errors import KeyringError, SealBrokenError, TollgateError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.replies import fields_of
from tasks.contracts.lists import ListKey
from tasks.contracts.views import (
    AbsentView,
    BatchView,
    InvoiceView,
    JobView,
    ListView,
    PaymentView,
    RefundView,
    SealedView,
    Subject,
)

SOON = {"Retry-After": "1"}  # seconds
V = TypeVar("V", JobView, PaymentView, RefundView, InvoiceView, BatchView)
S = TypeVar("S", bound=SealedView)


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a job is about, and of which nothing has been read: it may be another's, or none.

    Args:
        noun: `payment` or `invoice`.
    """

    id: str
    noun: str = PaymentView.NOUN

    @property
    def NOUN(self) -> str:  # noqa: N802 - as views have it
        """Its noun."""
        return self.noun


About = Subject | Unseen

log = logging.getLogger(__name__)


class MissingError(TollgateError):
    """Redis has not got it, and no worker has said lately that there is none."""


def read_view(door: Door, kind: type[V], name: str, client_id: str) -> tuple[V, str] | None:
    """Return the view of one thing of this client with its entity tag; None if it is another's, or a worker says so.

    Raises:
        MissingError: it is not in Redis, and nobody has said that there is none.
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened, or Redis has forgotten everything.
    """
    key = door.keyspace.view(name)
    fields = _fields(door, name)
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


def glimpse_several(door: Door, kind: type[V], names: Sequence[str], client_id: str) -> Mapping[str, V]:
    """Return by their ids those things of this client whose views are there just now, read in one round trip.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if one cannot be opened.
    """
    views = _open_several(door, kind, names)
    return {view.id: view for view in views if view is not None and view.client_id == client_id}


def read_list(door: Door, key: ListKey) -> ListView:
    """Return a list, which holds all that PostgreSQL knew when it was written; raises as `read_view` does."""
    name = key.name(door.settings.view_keys)
    listed = _open(door, ListView, door.keyspace.view(name), _fields(door, name))
    if listed is None or listed.client_id != key.client_id:
        raise MissingError
    return listed


def read_several(door: Door, kind: type[V], names: Sequence[str], client_id: str) -> list[V]:
    """Return several things of this client, read in one round trip; what is another's is left out.

    Raises:
        MissingError: if Redis has not got one of them.
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if one cannot be opened.
    """
    views = _open_several(door, kind, names)
    if None in views:
        raise MissingError
    return [view for view in views if view is not None and view.client_id == client_id]


def _open_several(door: Door, kind: type[V], names: Sequence[str]) -> list[V | None]:
    keys = [door.keyspace.view(name) for name in names]
    replies = door.gate.ask(*(("HGETALL", key) for key in keys)) if keys else []
    return [_open(door, kind, key, fields_of(reply)) for key, reply in zip(keys, replies, strict=True)]


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


_SUBJECTS: Final[Mapping[str, type[Subject]]] = {
    kind.NOUN: kind for kind in (PaymentView, RefundView, InvoiceView, BatchView)
}


def _open_subject(door: Door, subject: About, key: str, fields: Mapping[bytes, bytes]) -> Subject | None:
    return _open(door, _SUBJECTS[subject.NOUN], key, fields)


def _fields(door: Door, name: str) -> Mapping[bytes, bytes]:
    """Return the fields of a view; none, if a worker said a moment ago that there is nothing to be shown.

    Only a miss takes a second round trip.
    """
    key = door.keyspace.view(name)
    fields = fields_of(door.gate.ask_one("HGETALL", key))
    if fields:
        return fields
    # Once more behind the epoch: Redis may have been filled between the two.
    absent = door.keyspace.absent(name)
    epoch, reply, word = door.gate.ask(("GET", door.keyspace.epoch), ("HGETALL", key), ("HGETALL", absent))
    if isinstance(epoch, Exception):
        raise epoch
    if fields := fields_of(reply):
        return fields
    if _is_absent(door, absent, fields_of(word)):
        return {}
    if epoch is None:
        raise ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON)
    raise MissingError


def _is_absent(door: Door, key: str, fields: Mapping[bytes, bytes]) -> bool:
    word = _open(door, AbsentView, key, fields)
    # Whoever can write Redis could keep an old word for later.
    return word is not None and door.clock() < word.until


def _open(door: Door, kind: type[S], key: str, fields: Mapping[bytes, bytes]) -> S | None:
    try:
        return kind.open(door.settings.view_keys, key, fields) if fields else None
    except (SealBrokenError, KeyringError, TypeError) as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> ProblemError:
    log.error("a view cannot be opened: check TOLLGATE_VIEW_KEYS", extra={"key": key, "reason": type(error).__name__})
    return ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON)


def _tag(fields: Mapping[bytes, bytes]) -> str:
    return f"{int(fields[b'e'])}-{int(fields[b'v'])}"
