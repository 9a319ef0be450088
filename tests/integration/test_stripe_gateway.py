"""The gateway against the simulator: a real process that behaves as Stripe does, faults included."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stripe

from config.errors import (
    BreakerOpenError,
    StripeError,
    StripeInvalidError,
    StripeMisconfiguredError,
    StripeOutcomeUnknownError,
    StripeRateLimitedError,
    StripeUnavailableError,
)
from config.settings import StripeSettings
from tests.builders import simulator
from tests.builders.simulator import Simulator
from workers.gateways.snapshots import Answer, PaymentIntentSnapshot, charge_snapshot, payment_intent_snapshot
from workers.gateways.stripe import StripeGateway, idempotency_key, operation_name, stripe_breaker

READ_TIMEOUT = 2.0
FAILURES = 4
RESET = 0.3
POST_INTENT = {"method": "POST", "path": "^/v1/payment_intents$"}


@pytest.fixture(scope="module")
def stripe_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    ledger: Path = tmp_path_factory.mktemp("simulator") / "ledger.jsonl"
    with simulator.running("--ledger", str(ledger)) as running:
        yield running


@contextmanager
def gateway(stripe_api: Simulator, *, key: str = "sk_test_simulator") -> Iterator[StripeGateway]:
    settings = StripeSettings(key, stripe_api.url, 1.0, READ_TIMEOUT, FAILURES, RESET)
    made = StripeGateway(settings, stripe_breaker(settings), system="sys_1")
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def stripe_gateway(stripe_api: Simulator) -> Iterator[StripeGateway]:
    with gateway(stripe_api) as made:
        yield made
    stripe_api.control("DELETE", "faults")


numbers = iter(range(1, 1_000_000))


@pytest.fixture
def operation() -> str:
    return operation_name(f"pay_{next(numbers)}", "create", 1)


@pytest.fixture
def customer(stripe_gateway: StripeGateway) -> str:
    made = operation_name(f"cst_{next(numbers)}", "create", 1)
    return stripe_gateway.create_customer(
        name="Jane Doe", email="jane@example.com", operation=made, idempotency_key=idempotency_key(made)
    ).value


def create(made: StripeGateway, customer: str, operation: str, **changes: Any) -> Answer[PaymentIntentSnapshot]:
    asked: dict[str, Any] = {"amount": 4900, "currency": "gbp", "description": "Course", "metadata": {"booking": "B-1"}}
    return made.create_payment_intent(
        **{**asked, **changes},
        customer_id=customer,
        operation=operation,
        idempotency_key=idempotency_key(operation),
    )


def intents_of(stripe_api: Simulator, customer: str) -> int:
    return len(stripe_api.client.v1.payment_intents.list({"customer": customer, "limit": 100}).data)


def test_a_customer_is_found_by_the_operation_that_made_it(stripe_gateway: StripeGateway) -> None:
    made = operation_name(f"cst_{next(numbers)}", "create", 1)
    assert stripe_gateway.find_customer(email="new@example.com", operation=made) is None
    new = stripe_gateway.create_customer(
        name="New", email="new@example.com", operation=made, idempotency_key=idempotency_key(made)
    )
    assert stripe_gateway.find_customer(email="new@example.com", operation=made) == new.value
    assert stripe_gateway.find_customer(email="other@example.com", operation=made) is None


def test_a_payment_intent_is_made_fetched_and_found(
    stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    made = create(stripe_gateway, customer, operation)
    assert (made.value.amount, made.value.status) == (4900, "requires_payment_method")
    assert (made.value.operation, made.value.customer_id, made.replayed) == (operation, customer, False)
    assert abs(made.as_of.timestamp() - time.time()) < 30
    assert stripe_gateway.retrieve_payment_intent(made.value.id).value == made.value
    found = stripe_gateway.find_payment_intent(customer_id=customer, operation=operation)
    assert found is not None
    assert found.value == made.value


def test_the_same_key_answers_with_the_same_payment_intent(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    first, second = create(stripe_gateway, customer, operation), create(stripe_gateway, customer, operation)
    assert (second.value, second.replayed, second.as_of) == (first.value, True, first.value.created)
    assert intents_of(stripe_api, customer) == 1


def test_a_key_used_with_other_parameters_calls_for_an_operator(
    stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    create(stripe_gateway, customer, operation)
    with pytest.raises(StripeMisconfiguredError, match="used before with other parameters"):
        create(stripe_gateway, customer, operation, amount=5000)


def test_a_paid_and_partly_refunded_payment_shows_in_its_snapshots(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    made = create(stripe_gateway, customer, operation).value
    client = stripe_api.client.v1
    client.payment_intents.confirm(made.id, {"payment_method": "pm_card_visa", "return_url": "https://example.com"})
    client.refunds.create({"payment_intent": made.id, "amount": 900})
    paid = stripe_gateway.retrieve_payment_intent(made.id).value
    assert (paid.status, paid.amount_received, paid.amount_refunded, paid.disputed) == ("succeeded", 4900, 900, False)
    found = stripe_gateway.find_payment_intent(customer_id=customer, operation=operation)
    assert found is not None
    assert found.value == paid
    assert paid.charge_id is not None
    charge = charge_snapshot(client.charges.retrieve(paid.charge_id).last_response.data)  # type: ignore[union-attr]  # an answer has it
    assert (charge.payment_intent_id, charge.amount_refunded, charge.operation) == (made.id, 900, operation)


def test_a_decline_shows_in_the_snapshot_and_in_the_event(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    made = create(stripe_gateway, customer, operation).value
    client = stripe_api.client.v1
    with pytest.raises(stripe.CardError):
        client.payment_intents.confirm(
            made.id,
            {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds", "return_url": "https://example.com"},
        )
    declined = stripe_gateway.retrieve_payment_intent(made.id).value
    assert (declined.status, declined.decline_code) == ("requires_payment_method", "insufficient_funds")
    events = client.events.list({"type": "payment_intent.payment_failed", "limit": 100})
    bodies = [event["data"]["object"] for event in events.last_response.data["data"]]  # type: ignore[union-attr]  # an answer has it
    (told,) = [payment_intent_snapshot(body) for body in bodies if body["id"] == made.id]
    assert (told.decline_code, told.operation, told.decline_message) == (
        "insufficient_funds",
        operation,
        declined.decline_message,
    )


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drop"},
        {"do": "hang"},
        {"do": "status", "effect": True},
    ],
    ids=["answer dropped", "answer never comes", "500 after the effect"],
)
def test_an_effect_whose_answer_is_lost_is_unknown_and_found_again(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str, fault: dict[str, Any]
) -> None:
    stripe_api.faults({"match": POST_INTENT, **fault})
    with pytest.raises(StripeOutcomeUnknownError):
        create(stripe_gateway, customer, operation)
    found = stripe_gateway.find_payment_intent(customer_id=customer, operation=operation)
    assert found is not None
    assert found.value.operation == operation
    assert intents_of(stripe_api, customer) == 1


def test_a_stored_500_comes_back_as_replayed(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    stripe_api.faults({"match": POST_INTENT, "do": "status", "stored": True})
    with pytest.raises(StripeOutcomeUnknownError) as first:
        create(stripe_gateway, customer, operation)
    with pytest.raises(StripeOutcomeUnknownError) as second:
        create(stripe_gateway, customer, operation)
    assert (first.value.replayed, second.value.replayed) == (False, True)
    assert second.value.request_id != first.value.request_id
    assert stripe_gateway.find_payment_intent(customer_id=customer, operation=operation) is None
    assert intents_of(stripe_api, customer) == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"do": "rate_limit", "retry_after": 2}, StripeRateLimitedError),
        ({"do": "lock_timeout"}, StripeUnavailableError),
        ({"do": "status", "stored": False}, StripeUnavailableError),
    ],
    ids=["rate limit", "lock timeout", "500 that is not stored"],
)
def test_what_stripe_did_not_do_can_be_asked_again_under_the_same_key(
    stripe_api: Simulator,
    stripe_gateway: StripeGateway,
    customer: str,
    operation: str,
    fault: dict[str, Any],
    expected: type[StripeError],
) -> None:
    stripe_api.faults({"match": POST_INTENT, **fault})
    with pytest.raises(StripeError) as failure:
        create(stripe_gateway, customer, operation)
    assert type(failure.value) is expected
    assert failure.value.retry_after == fault.get("retry_after")
    assert create(stripe_gateway, customer, operation).replayed is False
    assert intents_of(stripe_api, customer) == 1


@pytest.mark.parametrize("kind", ["refuse", "reset"])
def test_a_connection_that_breaks_under_a_request_leaves_the_outcome_open(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str, kind: str
) -> None:
    stripe_api.faults({"match": POST_INTENT, "do": kind})
    with pytest.raises(StripeOutcomeUnknownError):
        create(stripe_gateway, customer, operation)
    assert create(stripe_gateway, customer, operation).value.operation == operation


def test_what_stripe_refuses_is_invalid(stripe_gateway: StripeGateway, customer: str, operation: str) -> None:
    with pytest.raises(StripeInvalidError) as failure:
        create(stripe_gateway, customer, operation, amount=1)
    assert failure.value.code == "amount_too_small"
    with pytest.raises(StripeInvalidError) as missing:
        stripe_gateway.retrieve_payment_intent("pi_missing")
    assert missing.value.code == "resource_missing"


def test_a_key_that_stripe_refuses_calls_for_an_operator(stripe_api: Simulator) -> None:
    with gateway(stripe_api, key="nonsense") as made, pytest.raises(StripeMisconfiguredError, match="refuses our key"):
        made.retrieve_payment_intent("pi_1")


def test_the_breaker_opens_on_an_outage_and_one_probe_closes_it_again(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    stripe_api.faults({"match": {"times": FAILURES}, "do": "status", "stored": False})
    for _ in range(FAILURES):
        with pytest.raises(StripeUnavailableError):
            create(stripe_gateway, customer, operation)
    with pytest.raises(BreakerOpenError) as turned_away:
        create(stripe_gateway, customer, operation)
    assert turned_away.value.retry_after is not None
    deadline = time.monotonic() + 20 * RESET
    while (made := attempted(stripe_gateway, customer, operation)) is None:
        assert time.monotonic() < deadline, "no probe was let through"
    assert made.value.operation == operation


def attempted(made: StripeGateway, customer: str, operation: str) -> Answer[PaymentIntentSnapshot] | None:
    try:
        return create(made, customer, operation)
    except BreakerOpenError:
        return None


def test_a_look_up_finds_the_oldest_of_more_payment_intents_than_a_page_holds(
    stripe_api: Simulator, stripe_gateway: StripeGateway, customer: str, operation: str
) -> None:
    oldest = create(stripe_gateway, customer, operation).value
    client = stripe_api.client.v1
    for _ in range(105):
        client.payment_intents.create({"amount": 100, "currency": "gbp", "customer": customer})
    found = stripe_gateway.find_payment_intent(customer_id=customer, operation=operation)
    assert found is not None
    assert found.value == oldest
