"""The simulator, asked by stripe-python as Tollgate asks Stripe: payments, cards, lists and refusals."""

from __future__ import annotations

import http.client
import subprocess
import sys
from typing import Any

import pytest
import stripe

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tests.builders.simulator import ROOT, Simulator, running


@pytest.fixture
def simulator(modules_simulator: Simulator) -> Simulator:
    return modules_simulator


@pytest.fixture
def client(simulator: Simulator) -> stripe.StripeClient:
    return simulator.client


def intent(client: stripe.StripeClient, **params: Any) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {"amount": 4200, "currency": "gbp", "automatic_payment_methods": {"enabled": True}, **params}  # type: ignore[typeddict-item]  # a plain dict of parameters
    )


def events_of(client: stripe.StripeClient, name: str) -> list[str]:
    """Return the types of the events about a PaymentIntent and its charges, the oldest first."""
    listed = [each.to_dict() for each in client.v1.events.list({"limit": 100}).data]
    about = [each for each in listed if name in {(seen := each["data"]["object"])["id"], seen.get("payment_intent")}]
    return [each["type"] for each in reversed(about)]


def test_a_payment_goes_from_created_to_succeeded_at_the_shoppers_hand(
    simulator: Simulator, client: stripe.StripeClient
) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com", "name": "Ada"})
    created = intent(client, customer=customer.id, metadata={"tollgate_operation": "op-1"})
    assert created.status == "requires_payment_method"
    result = shopper.pay(simulator.url, PUBLISHABLE_KEY, str(created.client_secret), "4242 4242 4242 4242")
    assert (result.status, result.payment_intent) == ("succeeded", created.id)
    paid = client.v1.payment_intents.retrieve(created.id, {"expand": ["latest_charge.balance_transaction", "customer"]})
    charge = paid.latest_charge
    assert isinstance(charge, stripe.Charge)
    assert (paid.amount_received, charge.amount_captured, charge.metadata["tollgate_operation"]) == (4200, 4200, "op-1")
    assert isinstance(charge.balance_transaction, stripe.BalanceTransaction)
    assert (charge.balance_transaction.fee, charge.balance_transaction.net) == (83, 4117)
    assert isinstance(paid.customer, stripe.Customer)
    assert events_of(client, created.id) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
    ]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("4000000000000002", "card_declined", "generic_decline"),
        ("4000000000009995", "card_declined", "insufficient_funds"),
        ("4000000000009987", "card_declined", "lost_card"),
        ("4000000000009979", "card_declined", "stolen_card"),
        ("4000000000000069", "expired_card", "expired_card"),
        ("4000000000000127", "incorrect_cvc", "incorrect_cvc"),
        ("4000000000000119", "processing_error", "processing_error"),
        ("4000000000006975", "card_declined", "card_velocity_exceeded"),
        ("4100000000000019", "card_declined", "fraudulent"),
    ],
)
def test_a_declined_card_leaves_a_failed_charge_and_an_intent_for_another_card(
    simulator: Simulator, client: stripe.StripeClient, card: str, code: str, decline_code: str
) -> None:
    created = intent(client)
    result = shopper.pay(simulator.url, PUBLISHABLE_KEY, str(created.client_secret), card)
    assert (result.status, result.code, result.decline_code) == ("requires_payment_method", code, decline_code)
    after = client.v1.payment_intents.retrieve(created.id)
    assert after.last_payment_error is not None
    assert (after.status, after.last_payment_error.decline_code) == ("requires_payment_method", decline_code)
    assert after.payment_method is None
    charge = client.v1.charges.list({"payment_intent": created.id}).data[0]
    assert (charge.status, charge.paid, charge.failure_code) == ("failed", False, code)
    assert events_of(client, created.id)[1:] == ["charge.failed", "payment_intent.payment_failed"]
    assert (
        shopper.pay(simulator.url, PUBLISHABLE_KEY, str(created.client_secret), "4242424242424242").status
        == "succeeded"
    )


def test_the_merchant_sees_a_decline_as_a_card_error_with_the_intent_in_it(client: stripe.StripeClient) -> None:
    created = intent(client)
    with pytest.raises(stripe.CardError) as caught:
        client.v1.payment_intents.confirm(created.id, {"payment_method": "pm_card_chargeDeclined"})
    error = caught.value.error
    assert error is not None
    assert (caught.value.http_status, error.type, error.code) == (402, "card_error", "card_declined")
    assert error.payment_intent is not None
    assert (error.payment_intent.id, error.charge) == (created.id, error.payment_intent.latest_charge)
    assert caught.value.headers is not None
    assert caught.value.headers["Stripe-Should-Retry"] == "false"


def test_a_number_that_is_no_cards_changes_nothing(simulator: Simulator, client: stripe.StripeClient) -> None:
    created = intent(client)
    result = shopper.pay(simulator.url, PUBLISHABLE_KEY, str(created.client_secret), "4242424242424241")
    assert (result.code, result.status) == ("incorrect_number", "requires_payment_method")
    assert events_of(client, created.id) == ["payment_intent.created"]


@pytest.mark.parametrize(
    ("card", "outcome", "status", "code"),
    [
        ("4000002500003155", "complete", "succeeded", None),
        ("4000002760003184", "complete", "succeeded", None),
        ("4000002760003184", "fail", "requires_payment_method", "payment_intent_authentication_failure"),
        ("4000008260003178", "complete", "requires_payment_method", "card_declined"),
    ],
)
@pytest.mark.parametrize("return_url", [None, "http://127.0.0.1/back?x=1"])
def test_three_d_secure_asks_the_shopper_first(
    simulator: Simulator,
    client: stripe.StripeClient,
    card: str,
    outcome: shopper.Outcome,
    status: str,
    code: str | None,
    return_url: str | None,
) -> None:
    created = intent(client)
    secret = str(created.client_secret)
    asked = shopper.pay(simulator.url, PUBLISHABLE_KEY, secret, card, return_url=return_url)
    assert asked.status == "requires_action"
    assert asked.authentication_url is not None
    assert client.v1.charges.list({"payment_intent": created.id}).data == []
    done = shopper.complete_three_d_secure(
        simulator.url, PUBLISHABLE_KEY, secret, asked.authentication_url, outcome=outcome
    )
    assert (done.status, done.code) == (status, code)
    assert "payment_intent.requires_action" in events_of(client, created.id)
    with pytest.raises(shopper.ShopperError, match="404"):
        shopper.complete_three_d_secure(simulator.url, PUBLISHABLE_KEY, secret, asked.authentication_url)


def test_three_d_secure_has_a_page_for_people(simulator: Simulator, client: stripe.StripeClient) -> None:
    created = intent(client)
    asked = shopper.pay(simulator.url, PUBLISHABLE_KEY, str(created.client_secret), "4000002760003184")
    connection = http.client.HTTPConnection(simulator.url.removeprefix("http://"))
    connection.request("GET", str(asked.authentication_url).removeprefix(simulator.url))
    page = connection.getresponse().read().decode()
    connection.close()
    assert "£42.00" in page
    assert "Complete" in page


def test_a_card_that_needs_its_holder_is_declined_off_session(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as caught:
        intent(client, payment_method="pm_card_authenticationRequired", confirm=True, off_session=True)
    assert caught.value.code == "authentication_required"


def test_a_held_amount_is_captured_in_part_and_the_rest_released(client: stripe.StripeClient) -> None:
    held = intent(client, capture_method="manual", payment_method="pm_card_visa", confirm=True)
    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 4200, 0)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.capture(held.id, {"amount_to_capture": 4201})
    assert caught.value.code == "amount_too_large"
    done = client.v1.payment_intents.capture(held.id, {"amount_to_capture": 3000, "expand": ["latest_charge"]})
    assert (done.status, done.amount_received) == ("succeeded", 3000)
    assert isinstance(done.latest_charge, stripe.Charge)
    assert (done.latest_charge.amount_captured, done.latest_charge.amount_refunded) == (3000, 1200)
    assert events_of(client, held.id)[1:] == [
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]


def test_a_cancelled_intent_releases_its_hold_and_takes_nothing_more(client: stripe.StripeClient) -> None:
    held = intent(client, capture_method="manual", payment_method="pm_card_visa", confirm=True)
    cancelled = client.v1.payment_intents.cancel(held.id, {"cancellation_reason": "requested_by_customer"})
    assert (cancelled.status, cancelled.amount_capturable) == ("canceled", 0)
    for act in (client.v1.payment_intents.cancel, client.v1.payment_intents.confirm, client.v1.payment_intents.capture):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            act(held.id)
        assert caught.value.code == "payment_intent_unexpected_state"
        assert caught.value.error is not None
        assert caught.value.error.payment_intent is not None


def refund_later(simulator: Simulator, card: str) -> tuple[Any, Any, Any]:
    """Refund a payment by a test card; return the refund at first, in the end, and its charge in the end."""
    client = simulator.client
    paid = intent(client, payment_method=card, confirm=True)
    first = client.v1.refunds.create({"payment_intent": paid.id, "amount": 1000})
    simulator.control("POST", "refunds/finish")
    return first, client.v1.refunds.retrieve(first.id), client.v1.charges.retrieve(str(first.charge))


def kinds_of(client: stripe.StripeClient, name: str) -> list[str]:
    """Return the types of the events of one object, the oldest first."""
    listed = client.v1.events.list({"limit": 100}).data
    return [each.type for each in reversed(listed) if each.to_dict()["data"]["object"]["id"] == name]


def test_a_refund_may_be_pending_first(simulator: Simulator) -> None:
    first, last, charge = refund_later(simulator, "pm_card_pendingRefund")
    assert (first.status, last.status, charge.amount_refunded) == ("pending", "succeeded", 1000)
    assert kinds_of(simulator.client, first.id) == ["refund.created", "refund.updated", "charge.refund.updated"]


def test_a_refund_may_succeed_and_come_back(simulator: Simulator) -> None:
    first, last, charge = refund_later(simulator, "pm_card_refundFail")
    assert (first.status, last.status, last.failure_reason) == ("succeeded", "failed", "unknown")
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    retrieve = simulator.client.v1.balance_transactions.retrieve
    taken, back = retrieve(str(last.balance_transaction)), retrieve(str(last.failure_balance_transaction))
    assert (taken.net, back.net, back.type) == (-1000, 1000, "refund_failure")
    assert kinds_of(simulator.client, first.id)[1:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    facts = simulator.control("GET", "ledger")
    [booked] = [each for each in facts["charges"] if each["id"] == charge.id]
    assert (booked["refunded_after_capture"], booked["net"]) == (0, 4200)


def test_a_payment_is_refunded_in_steps_until_nothing_is_left(client: stripe.StripeClient) -> None:
    paid = intent(client, payment_method="pm_card_visa", confirm=True)
    first = client.v1.refunds.create({"payment_intent": paid.id, "amount": 1000})
    assert (first.status, first.amount) == ("succeeded", 1000)
    with pytest.raises(stripe.InvalidRequestError, match=r"£33\.00.*£32\.00"):
        client.v1.refunds.create({"payment_intent": paid.id, "amount": 3300})
    client.v1.refunds.create({"charge": str(paid.latest_charge)})
    charge = client.v1.charges.retrieve(str(paid.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (4200, True)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": paid.id})
    assert caught.value.code == "charge_already_refunded"
    refunded = [each.to_dict()["data"] for each in client.v1.events.list({"type": "charge.refunded"}).data]
    assert [each["previous_attributes"] for each in refunded if each["object"]["id"] == charge.id] == [
        {"amount_refunded": 1000, "refunded": False},
        {"amount_refunded": 0},
    ]


def test_an_intent_and_a_customer_can_be_changed(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"name": "Ada", "metadata": {"a": "1", "b": "2"}})
    changed = client.v1.customers.update(customer.id, {"email": "ada@example.com", "metadata": {"a": "", "c": "3"}})
    assert (changed.name, changed.email, changed.to_dict()["metadata"]) == (
        "Ada",
        "ada@example.com",
        {"b": "2", "c": "3"},
    )
    created = intent(client)
    updated = client.v1.payment_intents.update(created.id, {"amount": 5000, "customer": customer.id})
    assert (updated.amount, updated.customer) == (5000, customer.id)
    client.v1.payment_intents.confirm(created.id, {"payment_method": "pm_card_visa"})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.payment_intents.update(created.id, {"amount": 6000})
    assert caught.value.code == "payment_intent_unexpected_state"


def test_lists_go_by_cursor_from_the_newest_to_the_oldest(client: stripe.StripeClient) -> None:
    customer = client.v1.customers.create({"email": "lists@example.com"})
    made = [intent(client, customer=customer.id).id for _ in range(5)]
    first = client.v1.payment_intents.list({"customer": customer.id, "limit": 2})
    assert ([each.id for each in first.data], first.has_more) == ([made[4], made[3]], True)
    rest = client.v1.payment_intents.list({"customer": customer.id, "starting_after": made[3]})
    assert ([each.id for each in rest.data], rest.has_more) == ([made[2], made[1], made[0]], False)
    before = client.v1.payment_intents.list({"customer": customer.id, "ending_before": made[1], "limit": 2})
    assert ([each.id for each in before.data], before.has_more) == ([made[3], made[2]], True)
    walked = client.v1.payment_intents.list({"customer": customer.id, "limit": 1}).auto_paging_iter()
    assert [each.id for each in walked] == made[::-1]
    assert [each.id for each in client.v1.customers.list({"email": "lists@example.com"}).data] == [customer.id]
    assert (
        client.v1.payment_intents.list({"customer": customer.id, "created": {"lt": first.data[0].created - 60}}).data
        == []
    )


def test_a_shopper_sees_one_intent_only_and_not_all_of_it(simulator: Simulator, client: stripe.StripeClient) -> None:
    created, other = intent(client), intent(client)
    shoppers = simulator.client_with("pk_test_abc")
    seen = shoppers.v1.payment_intents.retrieve(created.id, {"client_secret": str(created.client_secret)})
    assert (seen.id, seen.amount) == (created.id, 4200)
    assert "metadata" not in seen
    assert "latest_charge" not in seen
    with pytest.raises(stripe.InvalidRequestError, match="client_secret provided does not match"):
        shoppers.v1.payment_intents.retrieve(other.id, {"client_secret": str(created.client_secret)})
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: client_secret"):
        shoppers.v1.payment_intents.retrieve(other.id)


def test_an_off_session_payment_may_take_a_day_to_process(simulator: Simulator, client: stripe.StripeClient) -> None:
    waiting = intent(client, payment_method="pm_card_in", confirm=True, off_session=True)
    assert waiting.status == "processing"
    simulator.control("POST", "clock", {"advance_seconds": 26 * 3600})
    assert client.v1.payment_intents.retrieve(waiting.id).status == "succeeded"


def test_the_money_facts_add_up(simulator: Simulator, client: stripe.StripeClient) -> None:
    before = simulator.control("GET", "ledger")["totals"]["gbp"]
    paid = client.v1.payment_intents.create(
        {
            "amount": 2000,
            "currency": "gbp",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "metadata": {"tollgate_operation": "op-9"},
        },
        {"idempotency_key": "key-9"},
    )
    held = intent(client, capture_method="manual", payment_method="pm_card_visa", confirm=True)
    client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    ledger = simulator.control("GET", "ledger")
    after = ledger["totals"]["gbp"]
    assert {name: after[name] - before[name] for name in after} == {
        "charges": 2,
        "captured": 3000,
        "refunded": 500,
        "net": 2500,
    }
    charge = next(each for each in ledger["charges"] if each["payment_intent"] == paid.id)
    assert (charge["operation"], charge["idempotency_key"], charge["net"]) == ("op-9", "key-9", 1500)


def test_it_refuses_an_address_that_others_can_reach_unless_told() -> None:
    command = [sys.executable, "-m", "sandbox.simulator", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104  # that is the point
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert "--allow-remote" in ended.stderr


def test_help_shows_an_example() -> None:
    command = [sys.executable, "-m", "sandbox.simulator", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True).stdout
    assert "Example: python -m sandbox.simulator --port" in shown


def test_it_ends_politely_and_at_once() -> None:
    with running() as simulator:
        simulator.client.v1.customers.create()
        assert simulator.stop() == 0
