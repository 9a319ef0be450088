"""Reading views: a client sees its own jobs and payments, and of the others not even that they exist."""

import logging
from collections.abc import Mapping

from config.errors import KeyringError, SealBrokenError
from ingress.door import Door
from ingress.problems import ProblemError
from ingress.projections import ForgottenError, read_projection
from ingress.replies import fields_of
from tasks.contracts.views import JobView, PaymentView

SOON = {"Retry-After": "1"}  # seconds

log = logging.getLogger(__name__)


def read_job(door: Door, job_id: str, client_id: str) -> tuple[JobView, str] | None:
    """Return a job of this client with its entity tag, or None.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened, or Redis has forgotten everything.
    """
    key = door.keyspace.view(job_id)
    fields = _fields(door, key)
    view = _job(door, key, fields)
    return (view, _tag(fields)) if view is not None and view.client_id == client_id else None


def read_payment(door: Door, payment_id: str, client_id: str) -> tuple[PaymentView, str] | None:
    """Return a payment of this client with its entity tag, or None.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened, or Redis has forgotten everything.
    """
    key = door.keyspace.view(payment_id)
    fields = _fields(door, key)
    view = _payment(door, key, fields)
    return (view, _tag(fields)) if view is not None and view.client_id == client_id else None


def read_both(door: Door, job_id: str, payment_id: str, client_id: str) -> tuple[JobView | None, PaymentView | None]:
    """Return a job and its payment, read in one round trip; None for what is not there.

    Raises:
        RedisAwayError: if Redis does not answer.
        ProblemError: `view_unavailable`, if what lies there cannot be opened.
    """
    job_key, payment_key = door.keyspace.view(job_id), door.keyspace.view(payment_id)
    replies = door.gate.ask(("HGETALL", job_key), ("HGETALL", payment_key))
    job = _job(door, job_key, fields_of(replies[0]))
    payment = _payment(door, payment_key, fields_of(replies[1]))
    return (
        job if job is not None and job.client_id == client_id else None,
        payment if payment is not None and payment.client_id == client_id else None,
    )


def _fields(door: Door, key: str) -> Mapping[bytes, bytes]:
    try:
        return read_projection(door.gate, door.keyspace, key)
    except ForgottenError as error:
        raise ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON) from error


def _job(door: Door, key: str, fields: Mapping[bytes, bytes]) -> JobView | None:
    try:
        return JobView.open(door.settings.view_keys, key, fields) if fields else None
    except (SealBrokenError, KeyringError, TypeError) as error:
        raise _unreadable(key, error) from error


def _payment(door: Door, key: str, fields: Mapping[bytes, bytes]) -> PaymentView | None:
    try:
        return PaymentView.open(door.settings.view_keys, key, fields) if fields else None
    except (SealBrokenError, KeyringError, TypeError) as error:
        raise _unreadable(key, error) from error


def _unreadable(key: str, error: Exception) -> ProblemError:
    log.error("a view cannot be opened: check TOLLGATE_VIEW_KEYS", extra={"key": key, "reason": type(error).__name__})
    return ProblemError("view_unavailable", "The current state cannot be read just now.", headers=SOON)


def _tag(fields: Mapping[bytes, bytes]) -> str:
    return f"{int(fields[b'e'])}-{int(fields[b'v'])}"
