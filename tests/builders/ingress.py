"""An ingress for tests: settings, a client with a key, and a body that is accepted."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import hmac
import secrets
import time
from typing import Any

import redis
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from config.keyring import Keyring
from config.keyspace import Keyspace
from config.sealing import OpeningKeys, SealingKey, public_key_of
from config.settings import IngressSettings, LogSettings, RedisSettings
from ingress.app import create_app
from ingress.waiting import waiting_room
from tasks.contracts.api_keys import ApiKeyRecord, ApiKeyToken, issue_token
from tasks.contracts.journal import JournalEntry
from tasks.contracts.pulse import Condition, Pulse
from tasks.contracts.views import AbsentView

MACS = Keyring("m1", {"m1": b"m" * 32})
VIEWS = Keyring("v1", {"v1": b"v" * 32})
PRIVATE = Keyring("s1", {"s1": b"s" * 32})
PEPPER = b"p" * 32
SECRETS = ("whsec_first_of_two", "whsec_second_of_two")
NOWHERE = "redis://127.0.0.1:1/0"  # port 1 answers nobody

BODY: dict[str, Any] = {
    "amount": 4950,
    "currency": "gbp",
    "booking_reference": "BK-2026-0117",
    "customer": {"name": "Ada Lovelace", "email": "ada@example.org"},
    "description": "First aid at work",
    "metadata": {"course": "first-aid"},
    "shopper": {"ip": "203.0.113.7", "user_agent": "Mozilla/5.0"},
}


def body(**changes: Any) -> dict[str, Any]:
    """Return an acceptable body with some fields changed."""
    return copy.deepcopy(BODY) | changes


def ingress_settings(url: str = NOWHERE, prefix: str = "t:", **changes: Any) -> IngressSettings:
    """Return settings for a Redis, with some changed."""
    settings = IngressSettings(
        environment="test",
        log=LogSettings("INFO", "json"),
        redis=RedisSettings(url, Keyspace(prefix), connect_timeout=0.5, socket_timeout=1.0, pool_size=8),
        host="127.0.0.1",
        port=8000,
        threads=64,
        max_waiters=4,
        api_key_pepper=PEPPER,
        identity_key=b"i" * 32,
        journal_mac_keys=MACS,
        journal_public_key=SealingKey("s1", public_key_of(b"s" * 32)),
        view_keys=VIEWS,
        webhook_secrets=SECRETS,
        webhook_tolerance=300,
        api_key_cache_seconds=5.0,
        idempotency_seconds=3600,
        view_seconds=3600,
    )
    return dataclasses.replace(settings, **changes)


class Site:
    """The website's server: one client of an ingress, and a look into its Redis.

    Args:
        url: a Redis that may be looked into, also when the ingress itself uses another address.
    """

    def __init__(self, url: str, prefix: str, *, app: Flask | None = None, **changes: Any) -> None:
        self.settings = ingress_settings(url, prefix, **changes)
        self.keyspace = self.settings.redis.keyspace
        self.redis = redis.Redis.from_url(url)
        self.waiting = waiting_room(self.settings)
        self.app = app or create_app(self.settings, waiting=self.waiting)
        self.redis.set(self.keyspace.epoch, 1)  # as the dispatcher does once it has filled Redis
        self.token = self.new_key()

    def new_key(self, client_id: str = "site", rate: float = 1000.0, burst: int = 1000) -> ApiKeyToken:
        """Issue an API key and project it as `tollgate keys issue` does."""
        token = issue_token(self.settings.environment, secrets.token_bytes)
        record = ApiKeyRecord(token.hashed(PEPPER), client_id, rate, burst).signed(PEPPER, token.key_id)
        self.redis.hset(self.keyspace.api_key(token.key_id), mapping=record.to_fields())
        return token

    def client(self) -> FlaskClient:
        """Return a test client; each thread needs its own."""
        return self.app.test_client()

    def headers(self, key: str | None = None, token: ApiKeyToken | None = None, **more: str) -> dict[str, str]:
        """Return the headers of a post."""
        headers = {"Authorization": f"Bearer {(token or self.token).text}"} | more
        return headers | ({"Idempotency-Key": key} if key is not None else {})

    def post(self, document: Any = None, key: str | None = "k1", **options: Any) -> TestResponse:
        """Post a payment intent; `headers` are added to the usual ones."""
        headers = self.headers(key) | options.pop("headers", {})
        return self.client().post("/v1/payment-intents", json=document or body(), headers=headers, **options)

    def refund(self, payment_id: str, document: Any = None, key: str | None = "k1", **options: Any) -> TestResponse:
        """Post a refund of a payment; `headers` are added to the usual ones."""
        headers = self.headers(key) | options.pop("headers", {})
        return self.client().post(f"/v1/payments/{payment_id}/refunds", json=document or {}, headers=headers, **options)

    def invoice(self, document: Any, key: str | None = "k1", **options: Any) -> TestResponse:
        """Post an invoice; `headers` are added to the usual ones."""
        headers = self.headers(key) | options.pop("headers", {})
        return self.client().post("/v1/invoices", json=document, headers=headers, **options)

    def operate_invoice(self, invoice_id: str, verb: str, key: str | None = "k1", **options: Any) -> TestResponse:
        """Post an operation on an invoice; `headers` are added to the usual ones."""
        headers = self.headers(key) | options.pop("headers", {})
        document = options.pop("json", {})
        return self.client().post(f"/v1/invoices/{invoice_id}/{verb}", json=document, headers=headers, **options)

    def operate(
        self, payment_id: str, verb: str, document: Any = None, key: str | None = "k1", **options: Any
    ) -> TestResponse:
        """Post a capture, a cancellation or an update of a payment; `headers` are added to the usual ones."""
        headers = self.headers(key) | options.pop("headers", {})
        path = f"/v1/payments/{payment_id}" + ("" if verb == "update" else f"/{verb}")
        return self.client().post(path, json={} if document is None else document, headers=headers, **options)

    def get(self, path: str, token: ApiKeyToken | None = None, **headers: str) -> TestResponse:
        """Read something."""
        return self.client().get(path, headers=self.headers(token=token, **headers))

    def post_event(self, payload: bytes, header: str | None = None, at: int | None = None) -> TestResponse:
        """Deliver a webhook, signed by the first secret unless a header is given."""
        signature = header if header is not None else sign(payload, SECRETS[0], int(time.time()) if at is None else at)
        return self.client().post("/v1/webhooks/stripe", data=payload, headers={"Stripe-Signature": signature})

    def say_absent(self, name: str, until: float | None = None) -> None:
        """Say as a worker does that there is nothing by that id, nor was a moment ago."""
        key = self.keyspace.absent(name)
        word = AbsentView(name, time.time() + 30 if until is None else until).seal(VIEWS, key, 1, 0)
        self.redis.hset(key, mapping={"e": 1, "v": 0, "d": word})

    def dispatch(self, database: Condition = "up") -> None:
        """Give the pulse of a dispatcher that takes the journal in."""
        pulse = Pulse(int(time.time() * 1000), database, "up")
        self.redis.set(self.keyspace.dispatcher_pulse, pulse.to_bytes())

    def journal(self) -> list[JournalEntry]:
        """Return what was accepted."""
        return [JournalEntry.from_fields(fields) for _, fields in self.redis.xrange(self.keyspace.journal)]  # type: ignore[union-attr]  # redis-py's union of sync and async

    def opened(self, entry: JournalEntry) -> bytes:
        """Open an entry as the workers do."""
        return entry.open(MACS, OpeningKeys(PRIVATE))

    def waiters(self) -> int:
        """Return how many requests wait just now."""
        seats = self.waiting._seats
        return self.settings.max_waiters - seats._value if seats is not None else 0  # type: ignore[attr-defined]  # what a semaphore counts

    def close(self) -> None:
        """Close the connections."""
        self.waiting.close()
        self.redis.close()


def sign(payload: bytes, secret: str, at: int) -> str:
    """Return a Stripe-Signature header."""
    signature = hmac.new(secret.encode(), b"%d.%s" % (at, payload), hashlib.sha256).hexdigest()
    return f"t={at},v1={signature}"
