"""Stripe's webhooks: kept once each if signed, refused else."""

from __future__ import annotations

import json
import threading
import time

import pytest

from tests.builders.ingress import SECRETS, Site, sign

pytestmark = pytest.mark.servers
EVENT = b'{"id": "evt_1abc", "type": "payment_intent.succeeded", "pending_webhooks": 1}'


def test_a_signed_event_is_kept_to_the_byte(site: Site) -> None:
    answer = site.post_event(EVENT)
    assert (answer.status_code, answer.json) == (200, {"received": True})
    (entry,) = site.journal()
    assert site.opened(entry) == EVENT
    assert (entry.kind, entry.client_id, entry.route) == ("stripe.event", "stripe", "webhooks/stripe")
    assert entry.subject_id == "evt_1abc"


def test_a_redelivery_is_received_and_adds_nothing(site: Site) -> None:
    site.post_event(EVENT)
    assert site.post_event(EVENT.replace(b": 1}", b": 0}")).status_code == 200
    assert len(site.journal()) == 1


def test_events_at_once_are_kept_once(site: Site) -> None:
    start = threading.Barrier(10)

    def deliver() -> None:
        start.wait()
        site.post_event(EVENT)

    threads = [threading.Thread(target=deliver) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(site.journal()) == 1


@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_of_a_rotation_counts(site: Site, secret: str) -> None:
    assert site.post_event(EVENT, sign(EVENT, secret, int(time.time()))).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "t=1,v1=00", "v1", "t=,v1=", "t=" + "9" * 5000, "=" * 3000, "t=1\xff,v1=\xff", "x" * 9000]
)
def test_an_unsigned_event_is_refused_in_the_same_words(site: Site, header: str) -> None:
    answer = site.post_event(EVENT, header)
    assert (answer.status_code, answer.json["code"]) == (400, "signature_invalid")
    assert answer.json["detail"] == "The Stripe-Signature header does not sign this body."
    assert site.journal() == []


@pytest.mark.parametrize("off", [-301, 301, 366 * 24 * 3600])
def test_an_old_or_future_signature_is_refused(site: Site, off: int) -> None:
    assert site.post_event(EVENT, at=int(time.time()) + off).status_code == 400


@pytest.mark.parametrize(
    "payload",
    [
        b'{"id":"evt_1","data":{"object":{"name":"x\\u0000\\ud800","n":' + b"9" * 5000 + b',"f":1e999,"d":NaN}}}',
        b'{"id":"evt_1","id":"evt_1"}',
        b'{"id":"evt_1","name":"\xff"}',
        b'\xef\xbb\xbf{"id":"evt_1"}',
        b'{"id":"evt_1","card":"4242424242424242"}',
        json.dumps({"id": "evt_1", "pad": "x" * 500_000}).encode(),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_stripe_signed_is_kept_whatever_it_holds(site: Site, payload: bytes) -> None:
    assert site.post_event(payload).status_code == 200
    assert site.opened(site.journal()[0]) == payload


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"id":5}',
        b'{"id":"cus_1"}',
        b'{"id":"evt_' + b"x" * 300 + b'"}',
        b"[" * 9999,
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_signed_but_no_event_is_refused(site: Site, payload: bytes) -> None:
    answer = site.post_event(payload)
    assert (answer.status_code, answer.json["code"]) == (400, "event_invalid")
    assert site.journal() == []


def test_an_oversized_event_is_refused(site: Site) -> None:
    assert site.post_event(b"x" * (512 * 1024 + 1)).status_code == 413


def test_slow_webhooks_leave_half_of_the_threads_to_others(redis_url: str, redis_prefix: str) -> None:
    site = Site(redis_url, redis_prefix, threads=2)
    reading, go_on = threading.Event(), threading.Event()

    class Slow:
        def read(self, _size: int = -1) -> bytes:
            reading.set()
            go_on.wait(20)
            return b""

    def deliver() -> None:
        environ = {"wsgi.input": Slow(), "CONTENT_LENGTH": "5"}
        site.client().post("/v1/webhooks/stripe", environ_overrides=environ)

    slow = threading.Thread(target=deliver)
    slow.start()
    assert reading.wait(20)
    busy = site.post_event(EVENT)
    assert (busy.status_code, busy.json["code"], busy.headers["Retry-After"]) == (503, "webhooks_busy", "1")
    go_on.set()
    slow.join()
    assert site.post_event(EVENT).status_code == 200
    site.close()
