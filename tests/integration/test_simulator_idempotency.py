"""The simulator's idempotency keys, to the letter of Stripe's documentation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import stripe

from tests.builders.simulator import Simulator, running

NUMBERS = count()
DAY = 24 * 3600


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as process:
        yield process


@pytest.fixture
def key(simulator: Simulator) -> Iterator[str]:
    yield f"key-{next(NUMBERS)}"
    simulator.control("DELETE", "faults")


def create(simulator: Simulator, key: str, amount: int = 4200) -> stripe.PaymentIntent:
    return simulator.client.v1.payment_intents.create({"amount": amount, "currency": "gbp"}, {"idempotency_key": key})


def header(answer: stripe.StripeObject, name: str) -> str | None:
    assert answer.last_response is not None
    return answer.last_response.headers.get(name)


def intents(simulator: Simulator, key: str) -> int:
    made = simulator.control("GET", "ledger")["payment_intents"]
    return sum(each["idempotency_key"] == key for each in made)


def test_a_replayed_key_answers_with_the_stored_result(simulator: Simulator, key: str) -> None:
    first = create(simulator, key)
    again = create(simulator, key)
    assert again.id == first.id
    assert header(first, "Idempotent-Replayed") is None
    assert header(again, "Idempotent-Replayed") == "true"
    assert header(again, "Idempotency-Key") == key
    assert header(again, "Original-Request") == header(first, "Request-Id") != header(again, "Request-Id")


def test_the_stored_result_is_the_first_one_even_when_the_object_has_moved_on(simulator: Simulator, key: str) -> None:
    first = create(simulator, key)
    simulator.client.v1.payment_intents.cancel(first.id)
    assert create(simulator, key).status == "requires_payment_method"


def test_a_key_is_refused_for_other_parameters_and_other_endpoints(simulator: Simulator, key: str) -> None:
    create(simulator, key)
    with pytest.raises(stripe.IdempotencyError, match="same parameters they were first used with") as caught:
        create(simulator, key, amount=4300)
    assert caught.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
        simulator.client.v1.customers.create({}, {"idempotency_key": key})


def test_a_declined_card_is_replayed_and_charged_once(simulator: Simulator, key: str) -> None:
    intent = simulator.client.v1.payment_intents.create({"amount": 4200, "currency": "gbp"})
    declines = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            simulator.client.v1.payment_intents.confirm(
                intent.id, {"payment_method": "pm_card_chargeDeclined"}, {"idempotency_key": key}
            )
        declines.append(caught.value)
    assert declines[0].json_body == declines[1].json_body
    assert declines[1].headers is not None
    assert declines[1].headers["Idempotent-Replayed"] == "true"
    assert len(simulator.client.v1.charges.list({"payment_intent": intent.id}).data) == 1


@pytest.mark.parametrize("effect", [True, False])
def test_a_500_is_stored_and_replayed_with_or_without_its_effect(
    simulator: Simulator, key: str, *, effect: bool
) -> None:
    simulator.faults({"do": "status", "effect": effect, "match": {"path": "^/v1/payment_intents$"}})
    for _ in range(3):
        with pytest.raises(stripe.APIError) as caught:
            create(simulator, key)
        assert caught.value.http_status == 500
        assert caught.value.headers is not None
        assert caught.value.headers["Stripe-Should-Retry"] == "false"
    assert caught.value.headers is not None
    assert caught.value.headers["Idempotent-Replayed"] == "true"
    assert intents(simulator, key) == int(effect)


def test_what_is_refused_before_execution_is_not_stored(simulator: Simulator, key: str) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(simulator, key, amount=1)
    with pytest.raises(stripe.AuthenticationError):
        simulator.client_with("sk_wrong").v1.customers.create({}, {"idempotency_key": key})
    simulator.faults({"do": "rate_limit"}, {"do": "lock_timeout"}, {"do": "status", "stored": False})
    for kind in (stripe.RateLimitError, stripe.APIError, stripe.APIError):
        with pytest.raises(kind):
            create(simulator, key)
    assert header(create(simulator, key), "Idempotent-Replayed") is None


def test_a_key_in_use_is_refused_with_409(simulator: Simulator, key: str) -> None:
    simulator.faults({"do": "latency", "ms": 400})
    with ThreadPoolExecutor(50) as pool:
        attempts = [pool.submit(create, simulator, key) for _ in range(50)]
    errors = [error for each in attempts if (error := each.exception()) is not None]
    made = {each.result().id for each in attempts if each.exception() is None}
    assert len(made) == 1
    assert intents(simulator, key) == 1
    assert errors
    for error in errors:
        assert isinstance(error, stripe.StripeError)
        assert error.error is not None
        assert (error.http_status, error.error.code) == (409, "idempotency_key_in_use")
        assert error.headers is not None
        assert error.headers["Stripe-Should-Retry"] == "true"
    assert create(simulator, key).id in made


def test_fifty_posts_at_once_under_one_key_make_one_object(simulator: Simulator, key: str) -> None:
    def attempt(_number: int) -> str:
        try:
            return create(simulator, key).id
        except stripe.StripeError as error:
            return str(error.error and error.error.code)

    with ThreadPoolExecutor(50) as pool:
        made = set(pool.map(attempt, range(50))) - {"idempotency_key_in_use"}
    assert len(made) == 1
    assert intents(simulator, key) == 1


def test_a_key_is_forgotten_after_a_day(simulator: Simulator, key: str) -> None:
    first = create(simulator, key)
    simulator.control("POST", "clock", {"advance_seconds": DAY - 60})
    assert create(simulator, key).id == first.id
    simulator.control("POST", "clock", {"advance_seconds": 3600})
    second = create(simulator, key)
    assert second.id != first.id
    assert intents(simulator, key) == 2


def test_a_key_longer_than_255_characters_is_refused(simulator: Simulator) -> None:
    create(simulator, "k" * 255)
    with pytest.raises(stripe.StripeError, match="255"):
        create(simulator, "k" * 256)


def test_a_key_means_nothing_to_a_get(simulator: Simulator, key: str) -> None:
    intent = create(simulator, key)
    simulator.client.v1.payment_intents.retrieve(intent.id, {}, {"idempotency_key": key})
    seen = simulator.client.v1.payment_intents.retrieve(intent.id, {}, {"idempotency_key": key})
    assert header(seen, "Idempotent-Replayed") is None
