"""Notifications: what a client's website hears of its payments and refunds.

They are left behind by the transaction in which something happens (the outbox), and sent by jobs of their own.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config.errors import WebsiteError, WebsitePausedError
from config.keyring import Keyring
from config.retries import LONGEST_NOTIFICATION_PAUSE
from models.encrypted import decrypt
from models.endpoint import Endpoint
from models.payment import PAYMENT_MOVES, Payment
from models.refund import REFUND_MOVES, Refund
from tasks.contracts import representations
from tasks.contracts.notifications import SendNotification
from tasks.contracts.steps import Step
from workers.gateways.website import Recipient
from workers.jobs.attempt import Attempt
from workers.jobs.failure import describe
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import Outcome, done, writes_nothing
from workers.jobs.row import JobRow
from workers.projections.instants import rfc3339
from workers.projections.payment_views import read_payment_views
from workers.projections.refund_views import read_refund_views
from workers.resilience.backoff import backoff, snooze
from workers.runtime import Runtime

LOG = logging.getLogger("tollgate.notifications")

# What is flagged on a payment and is the website's business as well, and under which type it hears of it.
FLAGGED: Final = {"late_payment": "payment.late", "duplicate_payment": "payment.duplicate"}
TYPES: Final = (
    *(f"payment.{status}" for status in sorted(PAYMENT_MOVES.states)),
    *FLAGGED.values(),
    *(f"refund.{status}" for status in sorted(REFUND_MOVES.states)),
)
TEST: Final = "endpoint.test"  # what `tollgate endpoints test` sends; nobody subscribes to it
_DISABLE: Final = text("UPDATE endpoints SET disabled_at = clock_timestamp() WHERE id = :id AND disabled_at IS NULL")
KEPT_BACK: Final = frozenset({"client_secret"})  # it lets its holder pay: it is read by whoever has an API key


def announce(
    session: Session,
    runtime: Runtime,
    kind: str,
    subject: Payment | Refund,
    data: Mapping[str, Any] | None = None,
    *,
    slot: str | None = None,
) -> None:
    """Leave a notification for each of the client's endpoints that hears this, to be sent after the commit.

    Costs one query in a transaction for each client in it, and nothing more for a client without endpoints.

    Args:
        session: the transaction in which it happens.
        runtime: seals what is left behind.
        kind: the type, one of `TYPES`.
        subject: what it happened to; all its facts are set by now.
        data: what is told; by default the subject as the API shows it, as it is now. No personal data.
        slot: names this event of this kind and subject for ever; by default the subject's version. The same slot twice
            is the same notification.
    """
    endpoints = [each for each in _endpoints(session, subject.client_id) if hears(each, kind)]
    if not endpoints:
        return
    told = data if data is not None else _shown(session, runtime, subject)
    happened = rfc3339(session.execute(text("SELECT clock_timestamp()")).scalar_one())
    body = json.dumps({"type": kind, "timestamp": happened, "data": told}, separators=(",", ":"), ensure_ascii=False)
    for endpoint in endpoints:
        enqueue(
            session,
            runtime.settings,
            SendNotification(endpoint.id, kind, body),
            client_id=subject.client_id,
            subject_id=subject.id,
            slot=f"{endpoint.id}/{kind}/{subject.version if slot is None else slot}",
            request_id="",
        )


def send(attempt: Attempt, request: SendNotification) -> Outcome:
    """Send one notification; whatever goes wrong is tried again until it is too old, for repeats do no harm."""
    runtime, job = attempt.runtime, attempt.job
    with attempt.transaction(Step.HOLD) as session:
        endpoint = session.get(Endpoint, request.endpoint_id)
        if endpoint is None:
            return _refused("endpoint_removed", "The endpoint has been removed.")
        if endpoint.disabled_at is not None:
            return _put_aside()
        recipient = recipient_of(session, runtime.settings.encryption_keys, endpoint)
    attempt.before_call(runtime.websites.longest_call)
    try:
        runtime.websites.send(recipient, job.id, request.body.encode())
    except WebsiteError as error:
        if error.gone:
            return _gone(recipient.id, error)
        return Outcome("waiting", delay=_pause(runtime, job, error), error=describe(error))
    return done(lambda _session: None)


def settle_send(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: SendNotification, _outcome: Outcome
) -> None:
    """Leave everything as it is: what was to be told stays true."""


def hears(endpoint: Endpoint, kind: str) -> bool:
    """Tell whether an endpoint wants to hear of that type: all, those it names, or a noun's by `payment.*`."""
    noun = kind.partition(".")[0]
    return not endpoint.types or kind in endpoint.types or f"{noun}.*" in endpoint.types


def recipient_of(session: Session, ring: Keyring, endpoint: Endpoint) -> Recipient:
    """Return an endpoint with the secrets that sign now."""
    keys = [decrypt(ring, "endpoints", "secret", endpoint.id, endpoint.secret)]
    if endpoint.former_secret is not None and _still_signs(session, endpoint):
        keys.append(decrypt(ring, "endpoints", "former_secret", endpoint.id, endpoint.former_secret))
    return Recipient(endpoint.id, endpoint.url, keys)


def _endpoints(session: Session, client_id: str) -> Sequence[Endpoint]:
    """Return a client's endpoints that are not disabled; asked once in a transaction, however much moves in it."""
    known: dict[str, Sequence[Endpoint]] = session.info.setdefault("endpoints", {})
    if client_id not in known:
        wanted = (Endpoint.client_id == client_id, Endpoint.disabled_at.is_(None))
        known[client_id] = session.scalars(select(Endpoint).where(*wanted).order_by(Endpoint.id)).all()
    return known[client_id]


def _still_signs(session: Session, endpoint: Endpoint) -> bool:
    now = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return endpoint.former_until is None or bool(now < endpoint.former_until)


def _pause(runtime: Runtime, job: JobRow, error: WebsiteError) -> float:
    asked = error.retry_after
    if isinstance(error, WebsitePausedError) and asked is not None:
        asked = snooze(asked, random=runtime.random)  # not all at the same moment
    base = runtime.settings.jobs.backoff_base
    return backoff(job.attempts, base=base, cap=LONGEST_NOTIFICATION_PAUSE, random=runtime.random, retry_after=asked)


def _gone(endpoint_id: str, error: WebsiteError) -> Outcome:
    def disable(session: Session) -> None:
        session.execute(_DISABLE, {"id": endpoint_id})

    LOG.warning("endpoint %s is disabled: %s", endpoint_id, error)
    return _refused("endpoint_gone", "The website answered 410: the endpoint is gone.", disable, error)


def _refused(
    code: str, detail: str, write: Callable[[Session], None] = writes_nothing, error: WebsiteError | None = None
) -> Outcome:
    described = {"type": code, "message": detail} if error is None else describe(error)
    return Outcome("refused", write, problem={"code": code, "detail": detail}, error=described)


def _put_aside() -> Outcome:
    """End a job whose endpoint is disabled; once that is enabled again, an operator may replay it."""
    detail = "The endpoint is disabled; enable it, and replay this."
    return Outcome(
        "dead",
        problem={"code": "endpoint_disabled", "detail": detail},
        error={"type": "EndpointDisabled", "message": detail},
        verdict="safe_to_replay",
    )


def _shown(session: Session, runtime: Runtime, subject: Payment | Refund) -> dict[str, Any]:
    ring = runtime.settings.encryption_keys
    if isinstance(subject, Payment):
        [(_, payment)] = read_payment_views(session, ring, [subject.id])
        written = representations.payment(payment)
    else:
        [(_, refund)] = read_refund_views(session, ring, [subject.id])
        written = representations.refund(refund)
    return {name: value for name, value in written.items() if name not in KEPT_BACK}
