"""The simulator's faults on demand: what the client sees, and what has happened all the same."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
import requests
import stripe

from tests.builders.simulator import Simulator, running

NUMBERS = count()
PATIENCE_SECONDS = 0.5  # how long the client of these tests waits for an answer


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with running() as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Iterator[Simulator]:
    process.control("DELETE", "faults")
    yield process
    process.control("DELETE", "faults")


def create(simulator: Simulator, key: str | None = None) -> tuple[str, stripe.PaymentIntent]:
    """Create an intent as an impatient client."""
    key = key or f"key-{next(NUMBERS)}"
    client = stripe.StripeClient(
        "sk_test_simulator",
        base_addresses={"api": simulator.url},
        http_client=stripe.RequestsClient(timeout=PATIENCE_SECONDS, session=requests.Session()),
    )
    return key, client.v1.payment_intents.create({"amount": 4200, "currency": "gbp"}, {"idempotency_key": key})


def made_under(simulator: Simulator, key: str) -> list[str]:
    made = simulator.control("GET", "ledger")["payment_intents"]
    return [each["id"] for each in made if each["idempotency_key"] == key]


@pytest.mark.parametrize(
    ("rule", "effect"),
    [
        ({"do": "drop"}, True),
        ({"do": "reset"}, False),
        ({"do": "reset", "effect": True}, True),
        ({"do": "refuse"}, False),
        ({"do": "hang", "seconds": 5}, True),
        ({"do": "hang", "seconds": 5, "effect": False}, False),
    ],
)
def test_a_lost_answer_says_nothing_about_the_effect(
    simulator: Simulator, rule: dict[str, Any], *, effect: bool
) -> None:
    simulator.faults(rule)
    key = f"lost-{next(NUMBERS)}"
    with pytest.raises(stripe.APIConnectionError):
        create(simulator, key)
    before = made_under(simulator, key)
    assert len(before) == int(effect)
    _, repeated = create(simulator, key)
    assert made_under(simulator, key) == [repeated.id]
    assert repeated.last_response is not None
    assert repeated.last_response.headers.get("Idempotent-Replayed") == ("true" if effect else None)


def test_latency_holds_the_answer_back(simulator: Simulator) -> None:
    simulator.faults({"do": "latency", "ms": 200})
    started = time.monotonic()
    create(simulator)
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("rule", "status", "code", "should_retry"),
    [
        ({"do": "status", "status": 503, "stored": False}, 503, None, "true"),
        ({"do": "status", "status": 500}, 500, None, "false"),
        ({"do": "rate_limit", "retry_after": 7}, 429, "rate_limit", None),
        ({"do": "lock_timeout"}, 409, "lock_timeout", "true"),
        ({"do": "lock_timeout", "status": 429}, 429, "lock_timeout", "true"),
        ({"do": "invalid"}, 400, "parameter_invalid_string_blank", "false"),
    ],
)
def test_errors_come_with_stripes_advice_on_retrying(
    simulator: Simulator, rule: dict[str, Any], status: int, code: str | None, should_retry: str | None
) -> None:
    simulator.faults(rule)
    with pytest.raises(stripe.StripeError) as caught:
        create(simulator)
    error = caught.value
    assert error.headers is not None
    assert error.error is not None
    assert (error.http_status, error.error.code) == (status, code)
    assert error.headers.get("Stripe-Should-Retry") == should_retry
    assert error.headers.get("Retry-After") == (str(rule["retry_after"]) if "retry_after" in rule else None)
    assert error.headers["Request-Id"].startswith("req_")


def test_rules_say_which_requests_and_how_often(simulator: Simulator) -> None:
    client = simulator.client
    simulator.faults(
        {"do": "refuse", "match": {"method": "POST", "path": "^/v1/customers$", "nth": 2}},
        {"do": "rate_limit", "match": {"path": "^/v1/charges", "after": 1, "times": 2}},
        {"do": "drop", "match": {"body": r"metadata\[tollgate_operation\]=op-7"}},
    )
    client.v1.customers.create()
    with pytest.raises(stripe.APIConnectionError):
        client.v1.customers.create()
    client.v1.customers.create()
    client.v1.charges.list()
    for _ in range(2):
        with pytest.raises(stripe.RateLimitError):
            client.v1.charges.list()
    client.v1.charges.list()
    create(simulator)
    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create({"amount": 100, "currency": "gbp", "metadata": {"tollgate_operation": "op-7"}})
    report = simulator.control("GET", "faults")["faults"]
    assert [(rule["do"], rule["matched"], rule["fired"]) for rule in report] == [
        ("refuse", 3, 1),
        ("rate_limit", 4, 2),
        ("drop", 1, 1),
    ]


def test_a_rule_without_end_lasts_until_it_is_deleted(simulator: Simulator) -> None:
    simulator.faults({"do": "rate_limit", "match": {"times": 0}})
    for _ in range(5):
        with pytest.raises(stripe.RateLimitError):
            create(simulator)
    simulator.control("DELETE", "faults")
    create(simulator)


@pytest.mark.parametrize(
    "rule", [{"do": "explode"}, {"match": {}}, {"do": "drop", "when": 1}, {"do": "drop", "match": {"path": "("}}, 7]
)
def test_a_rule_that_makes_no_sense_is_refused_in_words(simulator: Simulator, rule: Any) -> None:
    answer = requests.post(f"{simulator.url}/_simulator/faults", json=rule, timeout=5)
    assert answer.status_code == 400
    assert "makes no sense" in answer.json()["error"]
    assert simulator.control("GET", "faults") == {"faults": []}


def test_an_unknown_control_request_names_the_known_ones(simulator: Simulator) -> None:
    answer = requests.get(f"{simulator.url}/_simulator/nothing", timeout=5)
    assert answer.status_code == 404
    assert "POST /_simulator/faults" in answer.json()["error"]


def test_health_tells_what_there_is(simulator: Simulator) -> None:
    health = simulator.control("GET", "health")
    assert (health["status"], health["url"]) == ("ok", simulator.url)


def test_requests_on_one_connection_follow_each_other_and_nonsense_ends_it(simulator: Simulator) -> None:
    with requests.Session() as session:
        for _ in range(3):
            assert session.get(f"{simulator.url}/_simulator/health", timeout=5).status_code == 200
        chunked = session.post(f"{simulator.url}/v1/customers", data=iter([b"name=Ada"]), timeout=5)
    assert (chunked.status_code, chunked.headers["Connection"]) == (400, "close")


def test_another_api_version_is_refused(simulator: Simulator) -> None:
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": simulator.url}, stripe_version="2020-08-27")
    with pytest.raises(stripe.InvalidRequestError, match="2020-08-27"):
        client.v1.customers.list()
