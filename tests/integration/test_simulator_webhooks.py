"""The simulator's webhooks: signed, repeated until acknowledged, and out of order or twice on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stripe

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tests.builders.simulator import Simulator, running
from tests.polling import wait_until

SECRET = "whsec_one"
OTHER_SECRET = "whsec_two"
FAST = 0.02  # retries after 20 ms instead of a second


class Receiver(ThreadingHTTPServer):
    """Takes webhooks, and refuses the first so many."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hook)
        self.refuse = 0
        self.refused = 0
        self.taken: list[tuple[bytes, str]] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hooks?from=stripe"

    def answer(self, body: bytes, signature: str) -> int:
        with self.lock:
            if self.refused < self.refuse:
                self.refused += 1
                return 503
            self.taken.append((body, signature))
            return 200

    def events(self, secret: str = SECRET) -> list[stripe.Event]:
        """Return what has come, checked as a careful receiver would."""
        with self.lock:
            return [stripe.Webhook.construct_event(body, signature, secret) for body, signature in self.taken]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]


class Hook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Receiver)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.answer(body, self.headers["Stripe-Signature"]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def simulator(receiver: Receiver) -> Iterator[Simulator]:
    with running("--webhook-url", receiver.url, "--webhook-secret", SECRET) as process:
        yield process


def pay(simulator: Simulator) -> str:
    return simulator.client.v1.payment_intents.create(
        {"amount": 4200, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}
    ).id


PAID = ["charge.succeeded", "charge.updated", "payment_intent.created", "payment_intent.succeeded"]


def test_events_arrive_signed_and_are_counted_off(simulator: Simulator, receiver: Receiver) -> None:
    intent = pay(simulator)
    wait_until(lambda: len(receiver.taken) == 4, "four deliveries")
    assert sorted(receiver.types()) == PAID
    event = next(each.to_dict() for each in receiver.events() if each.type == "payment_intent.succeeded")
    assert (event["data"]["object"]["id"], event["data"]["object"]["status"]) == (intent, "succeeded")
    assert event["api_version"] == stripe.api_version
    assert event["request"]["id"].startswith("req_")
    wait_until(lambda: waiting(simulator) == [], "every event acknowledged")
    assert simulator.client.v1.events.list({"delivery_success": False}).data == []
    with pytest.raises(stripe.SignatureVerificationError):
        receiver.events("whsec_wrong")


def waiting(simulator: Simulator) -> list[stripe.Event]:
    return [each for each in simulator.client.v1.events.list({"limit": 100}).data if each.pending_webhooks]


def test_what_happens_after_three_d_secure_or_with_time_is_delivered_too(
    simulator: Simulator, receiver: Receiver
) -> None:
    created = simulator.client.v1.payment_intents.create({"amount": 4200, "currency": "gbp"})
    secret = str(created.client_secret)
    asked = shopper.pay(simulator.url, PUBLISHABLE_KEY, secret, "4000002760003184")
    shopper.complete_three_d_secure(simulator.url, PUBLISHABLE_KEY, secret, str(asked.authentication_url))
    wait_until(lambda: receiver.types().count("payment_intent.succeeded") == 1, "the authenticated payment")
    simulator.client.v1.payment_intents.create(
        {"amount": 4200, "currency": "gbp", "confirm": True, "payment_method": "pm_card_in", "off_session": True}
    )
    simulator.control("POST", "clock", {"advance_seconds": 26 * 3600})
    wait_until(lambda: receiver.types().count("payment_intent.succeeded") == 2, "the payment that took a day")


def test_every_active_secret_signs(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("POST", "webhook_endpoints", {"url": receiver.url, "secrets": [SECRET, OTHER_SECRET]})
    pay(simulator)
    wait_until(lambda: len(receiver.taken) == 4, "four deliveries")
    assert len(receiver.events(SECRET)) == len(receiver.events(OTHER_SECRET)) == 4
    assert all(signature.count("v1=") == 2 for _, signature in receiver.taken)


def test_a_refused_delivery_comes_again_until_it_is_taken(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("POST", "webhooks", {"retry_scale": FAST})
    receiver.refuse = 6
    pay(simulator)
    wait_until(lambda: len(receiver.taken) == 4, "four deliveries")
    assert (receiver.refused, sorted(receiver.types())) == (6, PAID)


def test_undelivered_events_can_be_listed_while_the_receiver_refuses(simulator: Simulator, receiver: Receiver) -> None:
    receiver.refuse = 1000
    pay(simulator)
    wait_until(lambda: receiver.refused >= 4, "four refusals")
    undelivered = simulator.client.v1.events.list({"delivery_success": False}).data
    assert sorted(each.type for each in undelivered) == PAID
    assert {each.pending_webhooks for each in undelivered} == {1}
    assert simulator.client.v1.events.list({"delivery_success": True}).data == []


def test_advancing_the_clock_brings_retries_forward_and_three_days_end_them(
    simulator: Simulator, receiver: Receiver
) -> None:
    simulator.control("POST", "webhooks", {"retry_scale": 10_000})
    receiver.refuse = 8
    pay(simulator)
    wait_until(lambda: receiver.refused == 4, "four refusals")
    wait_until(lambda: simulator.control("GET", "webhooks")["waiting"] == 4, "four retries waiting")
    simulator.control("POST", "clock", {"advance_seconds": 3 * 24 * 3600 + 60})
    wait_until(lambda: receiver.refused == 8, "a second round of refusals")
    wait_until(lambda: simulator.control("GET", "webhooks")["waiting"] == 0, "nothing left to try")
    assert simulator.control("GET", "webhooks")["failed"] == 8
    assert receiver.taken == []


def test_duplicates_on_demand_carry_the_same_event_id(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("POST", "webhooks", {"duplicates": 2})
    pay(simulator)
    wait_until(lambda: len(receiver.taken) == 12, "three copies of four events")
    ids = [each.id for each in receiver.events()]
    assert {ids.count(each) for each in ids} == {3}


def test_an_event_can_be_sent_again_later(simulator: Simulator, receiver: Receiver) -> None:
    pay(simulator)
    wait_until(lambda: len(receiver.taken) == 4, "four deliveries")
    again = receiver.events()[0].id
    assert simulator.control("POST", "webhooks/resend", {"event": again}) == {"queued": 1}
    wait_until(lambda: len(receiver.taken) == 5, "the repetition")
    assert receiver.events()[-1].id == again


def test_deliveries_pause_and_go_out_shuffled_by_a_seed(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("POST", "webhooks", {"pause": True, "shuffle": 7})
    for _ in range(5):
        pay(simulator)
    wait_until(lambda: simulator.control("GET", "webhooks")["waiting"] == 20, "twenty deliveries waiting")
    assert receiver.taken == []
    simulator.control("POST", "webhooks", {"pause": False})
    wait_until(lambda: len(receiver.taken) == 20, "twenty deliveries")
    came = [event.id for event in receiver.events()]
    happened = [event.id for event in reversed(simulator.client.v1.events.list({"limit": 100}).data)]
    assert sorted(came) == sorted(happened)
    moved = [abs(came.index(each) - happened.index(each)) for each in happened]
    assert max(moved) > 4, "further than four delivery threads alone could mix them"


def test_deliveries_can_be_held_back(simulator: Simulator, receiver: Receiver) -> None:
    simulator.control("POST", "webhooks", {"delay_ms": 60_000})
    pay(simulator)
    assert simulator.control("GET", "webhooks")["waiting"] == 4
    simulator.control("POST", "clock", {"advance_seconds": 60})
    wait_until(lambda: len(receiver.taken) == 4, "four deliveries")


def test_endpoints_are_made_changed_and_deleted_through_the_api(simulator: Simulator, receiver: Receiver) -> None:
    client = simulator.client
    first = client.v1.webhook_endpoints.list().data[0]
    client.v1.webhook_endpoints.update(first.id, {"disabled": True})
    made = client.v1.webhook_endpoints.create({"url": receiver.url + "&b=1", "enabled_events": ["charge.succeeded"]})
    assert str(made.secret).startswith("whsec_")
    assert "secret" not in client.v1.webhook_endpoints.retrieve(made.id)
    pay(simulator)
    wait_until(lambda: len(receiver.taken) == 1, "one delivery")
    assert [event.type for event in receiver.events(str(made.secret))] == ["charge.succeeded"]
    client.v1.webhook_endpoints.delete(made.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.webhook_endpoints.retrieve(made.id)
    with pytest.raises(stripe.InvalidRequestError, match="Invalid URL"):
        client.v1.webhook_endpoints.create({"url": "nowhere", "enabled_events": ["*"]})


def test_deliveries_resume_after_a_power_cut(receiver: Receiver, tmp_path: Path) -> None:
    arguments = ("--ledger", str(tmp_path / "ledger.jsonl"), "--webhook-url", receiver.url, "--webhook-secret", SECRET)
    with running(*arguments) as simulator:
        simulator.control("POST", "webhooks", {"pause": True})
        pay(simulator)
        simulator.kill()
    assert receiver.taken == []
    with running(*arguments) as simulator:
        wait_until(lambda: len(receiver.taken) == 4, "four deliveries")
        assert sorted(receiver.types()) == PAID
        wait_until(lambda: waiting(simulator) == [], "every event acknowledged")
        simulator.stop()
    with running(*arguments) as simulator:
        assert waiting(simulator) == []
        assert len(simulator.client.v1.webhook_endpoints.list().data) == 1
    assert len(receiver.taken) == 4
