"""Trouble, through real processes: what dies or answers nothing costs no payment and makes none twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.demo.books import compare, read_payments
from sandbox.system import System
from tests.e2e.conftest import DEADLINE_S, POLL_S, Website

pytestmark = [pytest.mark.owns_servers, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]
CREATE_CALL = {"method": "POST", "path": "/v1/payment_intents$"}


@pytest.fixture(autouse=True)
def books_agree_afterwards(simulated_website: Website) -> Iterator[None]:
    yield
    system = simulated_website.system
    system.simulator.clear_faults()
    books = compare(system.simulator.ledger(), read_payments(system.addresses.database_url), {}, [])
    doubled = [
        difference for difference in books.differences if "times" in difference or "PaymentIntents" in difference
    ]
    assert doubled == []


def spoil(system: System, reference: str, **fault: Any) -> None:
    system.simulator.add_faults([{"match": {**CREATE_CALL, "body": reference}, **fault}])


def wait_for_fault(system: System) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not any(fault["fired"] for fault in system.simulator.faults()):
        assert time.monotonic() < deadline, "the call never reached the simulator"
        pause.wait(POLL_S)


def intents_of(system: System, payment_id: str) -> list[dict[str, Any]]:
    intents = system.simulator.ledger()["payment_intents"]
    return [intent for intent in intents if str(intent["operation"]).startswith(payment_id)]


FAULTS: dict[str, dict[str, Any]] = {
    "response dropped": {"do": "drop"},
    "connection reset": {"do": "reset"},
    "connection refused": {"do": "refuse"},
    "500 stored after the effect": {"do": "status", "status": 500, "effect": True},
    "too many requests": {"do": "rate_limit"},
    "lock timeout": {"do": "lock_timeout"},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_whatever_befalls_the_call_one_payment_intent_is_made(
    simulated_website: Website, fault: dict[str, Any]
) -> None:
    system, body = simulated_website.system, simulated_website.booking()
    spoil(system, body["booking_reference"], **fault)
    payment = simulated_website.ready_payment(body)
    assert len(intents_of(system, payment["id"])) == 1
    assert simulated_website.stripe.pay(payment, "good") == "succeeded"
    simulated_website.until(payment["id"], "paid")


def test_a_worker_that_is_killed_in_mid_call_costs_nothing(simulated_website: Website) -> None:
    system, body = simulated_website.system, simulated_website.booking()
    spoil(system, body["booking_reference"], do="latency", seconds=3)
    accepted = simulated_website.post(body, wait=None)
    assert accepted.status == 202
    wait_for_fault(system)
    system.supervisor.kill("worker")
    payment = simulated_website.until(accepted.body["payment"]["id"], "requires_confirmation")
    assert len(intents_of(system, payment["id"])) == 1


@pytest.mark.parametrize("name", ["dispatcher", "web", "worker-webhooks"])
def test_a_process_that_is_killed_comes_back_and_nothing_is_lost(simulated_website: Website, name: str) -> None:
    system = simulated_website.system
    before = simulated_website.ready_payment()
    accepted = simulated_website.post(wait=None)
    system.supervisor.kill(name)
    assert simulated_website.stripe.pay(before, "good") == "succeeded"
    wait_until_up(system)
    simulated_website.until(accepted.body["payment"]["id"], "requires_confirmation")
    simulated_website.until(before["id"], "paid")


def test_a_frozen_redis_is_answered_503_in_time_and_all_goes_on_afterwards(simulated_website: Website) -> None:
    system, body = simulated_website.system, simulated_website.booking()
    simulated_website.ready_payment()
    system.valkey.freeze()
    try:
        asked = time.monotonic()
        answer = simulated_website.post(body, wait=None)
        assert time.monotonic() - asked < 2
        assert answer.status == 503
        assert answer.body["code"] in {"acceptance_unknown", "redis_unavailable"}
        assert int(answer.headers["retry-after"]) >= 1
    finally:
        system.valkey.thaw()
    wait_until_up(system)
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while (answer := simulated_website.post(body, wait=None)).status == 503:
        assert time.monotonic() < deadline, answer
        pause.wait(POLL_S)
    payment = simulated_website.until(answer.body["payment"]["id"], "requires_confirmation")
    assert len(intents_of(system, payment["id"])) == 1


def wait_until_up(system: System) -> None:
    deadline = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while not system.api.ready():
        assert time.monotonic() < deadline, "the API did not come back"
        pause.wait(POLL_S)
