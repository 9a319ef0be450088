"""Stripe's webhooks: checked by their raw bytes, kept as jobs, and answered. What they say is the workers' business."""

import json
import logging
import re
import threading
from typing import Any

from flask import Blueprint, Response, g, request

from ingress.accept import Submission, accept
from ingress.answers import json_answer
from ingress.door import Door
from ingress.json_body import is_deeper, read_body
from ingress.problems import ProblemError
from ingress.stripe_signature import is_signed
from tasks.contracts.events import CLIENT, ROUTE, StripeEvent, identity_of_event

MAXIMUM_BYTES = 512 * 1024  # Stripe's largest events, of long invoices, have some 250 KB
EVENT_ID = re.compile(r"evt_[A-Za-z0-9_]{1,251}")  # 255 characters, the most that Stripe's ids have
MAXIMUM_DEPTH = 200  # far deeper than any object of Stripe's; Python's parser recurses

log = logging.getLogger(__name__)


def webhooks(door: Door) -> Blueprint:
    """Return the routes of webhooks."""
    routes = Blueprint("webhooks", __name__)
    # Anyone may send a body here, as slowly as they like, before the signature tells who they are: half of the
    # threads stay free for those with a key.
    readers = threading.BoundedSemaphore(max(1, door.settings.threads // 2))

    @routes.post("/v1/webhooks/stripe")
    def receive_stripe_event() -> Response:
        if not readers.acquire(blocking=False):
            raise ProblemError("webhooks_busy", "Too many webhooks are under way.", headers={"Retry-After": "1"})
        try:
            body = read_body(request, MAXIMUM_BYTES)
        finally:
            readers.release()
        settings = door.settings
        header = request.headers.get("Stripe-Signature", "")
        if not is_signed(
            header, body, settings.webhook_secrets, now=door.clock(), tolerance=settings.webhook_tolerance
        ):
            raise ProblemError("signature_invalid", "The Stripe-Signature header does not sign this body.")
        event_id = _event_id(body)
        event, names = StripeEvent(body), identity_of_event(settings.identity_key, event_id)
        receipt = accept(
            door,
            Submission(
                job_id=names.job_id,
                kind=event.KIND.name,
                version=event.KIND.version,
                client_id=CLIENT,
                route=ROUTE,
                idempotency_key=event_id,
                fingerprint=names.fingerprint,
                subject_id=event_id,
                request_id=g.request_id,
                payload=event.to_bytes(),
            ),
        )
        facts = {"job_id": names.job_id, "event_id": event_id, "replayed": receipt.replayed}
        log.info("accepted an event", extra=facts)
        return json_answer({"received": True})

    return routes


def _event_id(body: bytes) -> str:
    """Read the event's id and nothing else: what Stripe signed can't be refused for what it holds."""
    text = body.decode("utf-8-sig", "replace")
    event: Any = None
    if not is_deeper(text, MAXIMUM_DEPTH):
        try:
            event = json.loads(text, parse_int=str, parse_float=str)
        except ValueError:
            event = None
    event_id = event.get("id") if isinstance(event, dict) else None
    if not isinstance(event_id, str) or not EVENT_ID.fullmatch(event_id):
        raise ProblemError("event_invalid", "The body is signed, but has no event id.")
    return event_id
