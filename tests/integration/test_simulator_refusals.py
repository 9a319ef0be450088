"""What the simulator refuses as Stripe does: parameters, objects that are not there, keys."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.builders.simulator import Simulator


@pytest.fixture
def simulator(modules_simulator: Simulator) -> Simulator:
    return modules_simulator


@pytest.fixture
def client(simulator: Simulator) -> stripe.StripeClient:
    return simulator.client


def intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    given: Any = {"amount": 4200, "currency": "gbp", **params}
    return client.v1.payment_intents.create(given)


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"amount": 29}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "usd"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"amount": "12.50"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": 5124, "currency": "kwd"}, None, "amount"),
        ({"amount": -100}, "parameter_invalid_integer", "amount"),
        ({"amount": ""}, "parameter_invalid_empty", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"automatic_payment_methods": {"on": True}}, "parameter_unknown", "automatic_payment_methods[on]"),
        ({"automatic_payment_methods": {"enabled": "yes"}}, None, "automatic_payment_methods[enabled]"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"receipt_email": "nobody"}, "email_invalid", "receipt_email"),
        ({"metadata": {"k" * 41: "v"}}, None, "metadata"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata"),
        ({"off_session": True}, None, "off_session"),
    ],
)
def test_a_parameter_that_stripe_refuses_is_refused_by_name(
    client: stripe.StripeClient, params: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        intent(client, **params)
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, code, param)


def test_a_missing_parameter_is_named(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=r"Missing required param: currency\.") as caught:
        client.v1.payment_intents.create({"amount": 100})  # type: ignore[typeddict-item]  # that is the point
    assert caught.value.code == "parameter_missing"


def test_what_is_not_there_is_a_404(client: stripe.StripeClient) -> None:
    for look in (
        client.v1.payment_intents.retrieve,
        client.v1.customers.retrieve,
        client.v1.charges.retrieve,
        client.v1.refunds.retrieve,
        client.v1.events.retrieve,
        client.v1.webhook_endpoints.retrieve,
        client.v1.balance_transactions.retrieve,
    ):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            look("xx_none")
        assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
        client.v1.subscriptions.list()


@pytest.mark.parametrize("key", ["sk_live_abc", "pk_live_abc", "rk_live_abc", "nonsense", "pk_test_abc"])
def test_only_secret_test_keys_act_for_the_merchant(simulator: Simulator, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        simulator.client_with(key).v1.customers.create()
    assert caught.value.http_status == 401
    assert ("never takes a live key" in str(caught.value)) == ("_live_" in key)


@pytest.mark.parametrize("path", ["colour", "latest_charge.a.b.c.d", "amount", "metadata.x"])
def test_what_cannot_be_expanded_is_refused(client: stripe.StripeClient, path: str) -> None:
    created = intent(client)
    with pytest.raises(stripe.InvalidRequestError, match="expand"):
        client.v1.payment_intents.retrieve(created.id, {"expand": [path]})


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"limit": 0}, "parameter_invalid_integer"),
        ({"limit": 101}, "parameter_invalid_integer"),
        ({"starting_after": "pi_none"}, "resource_missing"),
        ({"starting_after": "pi_a", "ending_before": "pi_b"}, None),
    ],
)
def test_a_list_refuses_limits_and_cursors_that_lead_nowhere(
    client: stripe.StripeClient, params: Any, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.list(params)
    assert (caught.value.http_status, caught.value.code) == (400, code)


def test_a_request_refused_while_it_executes_leaves_nothing_behind(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    before = simulator.control("GET", "health")
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        intent(client, expand=["colour"])
    after = simulator.control("GET", "health")
    assert [after[name] - before[name] for name in ("payment_intents", "events")] == [0, 0]


def test_an_intent_without_a_card_cannot_be_confirmed(client: stripe.StripeClient) -> None:
    created = intent(client)
    with pytest.raises(stripe.InvalidRequestError, match="missing a payment method") as caught:
        client.v1.payment_intents.confirm(created.id)
    assert caught.value.code == "payment_intent_unexpected_state"
