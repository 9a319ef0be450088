"""Notifications: sending a client's website what it is to hear (`workers.services.announcements`), by jobs."""

import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import WebsiteError, WebsitePausedError
from config.keyring import Keyring
from config.retries import LONGEST_NOTIFICATION_PAUSE
from models.encrypted import decrypt
from models.endpoint import Endpoint
from tasks.contracts.notifications import SendNotification
from tasks.contracts.steps import Step
from workers.gateways.website import Recipient
from workers.jobs.attempt import Attempt
from workers.jobs.failure import describe
from workers.jobs.outcome import Outcome, done, writes_nothing
from workers.jobs.row import JobRow
from workers.resilience.backoff import backoff, snooze
from workers.runtime import Runtime
from workers.services.flags import raise_flag

LOG = logging.getLogger("tollgate.notifications")

TEST: Final = "endpoint.test"  # what `tollgate endpoints test` sends; nobody subscribes to it
GONE: Final = "endpoint_gone"  # the problem of the notification, and the flag on the endpoint
_DISABLE: Final = text(
    "UPDATE endpoints SET disabled_at = clock_timestamp() WHERE id = :id AND disabled_at IS NULL RETURNING id"
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
            return _gone(job, recipient.id, error)
        return Outcome("waiting", delay=_pause(runtime, job, error), error=describe(error))
    return done(lambda _session: None)


def settle_send(
    _session: Session, _runtime: Runtime, _job: JobRow, _request: SendNotification, _outcome: Outcome
) -> None:
    """Leave everything as it is: what was to be told stays true."""


def recipient_of(session: Session, ring: Keyring, endpoint: Endpoint) -> Recipient:
    """Return an endpoint with the secrets that sign now."""
    keys = [decrypt(ring, "endpoints", "secret", endpoint.id, endpoint.secret)]
    if endpoint.former_secret is not None and _still_signs(session, endpoint):
        keys.append(decrypt(ring, "endpoints", "former_secret", endpoint.id, endpoint.former_secret))
    return Recipient(endpoint.id, endpoint.url, keys)


def _still_signs(session: Session, endpoint: Endpoint) -> bool:
    now = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return endpoint.former_until is None or bool(now < endpoint.former_until)


def _pause(runtime: Runtime, job: JobRow, error: WebsiteError) -> float:
    asked = error.retry_after
    if isinstance(error, WebsitePausedError) and asked is not None:
        asked = snooze(asked, random=runtime.random)  # not all at the same moment
    base = runtime.settings.jobs.backoff_base
    return backoff(job.attempts, base=base, cap=LONGEST_NOTIFICATION_PAUSE, random=runtime.random, retry_after=asked)


def _gone(job: JobRow, endpoint_id: str, error: WebsiteError) -> Outcome:
    """Disable the endpoint, and have an operator look: from now on its website hears nothing."""

    def disable(session: Session) -> None:
        if session.execute(_DISABLE, {"id": endpoint_id}).first() is not None:
            raise_flag(session, None, GONE, endpoint_id, {"client": job.client_id})

    LOG.warning("endpoint %s is disabled: %s", endpoint_id, error)
    return _refused(GONE, "The website answered 410: the endpoint is gone.", disable, error)


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
