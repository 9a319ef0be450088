"""payments.create for saved cards, holds and receipts against the simulator: a card is charged once, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from config import errors
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.steps import Step
from tests.builders.entries import new_key, payment_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from workers.jobs import dead
from workers.jobs.operator import Operator

pytestmark = pytest.mark.servers
GOOD, NO_FUNDS = "pm_card_visa", "pm_card_visa_chargeDeclinedInsufficientFunds"
ALWAYS_ASKS, ASKS_UNLESS_SAVED = "4000002760003184", "4000002500003155"
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}


class Customer:
    """A customer of the shop who has paid before, and whose card may be kept."""

    def __init__(self, shop: House, stripe: Simulator) -> None:
        self.shop, self.stripe = shop, stripe
        self.email = f"ada.{new_key()}@example.org"

    def asks(self, **changes: Any) -> tuple[str, str]:
        """Take a payment of theirs in; return the ids of its job and of itself."""
        entry = payment_entry(customer_email=self.email, **changes)
        self.shop.take_in(entry)
        return entry.job_id, entry.subject_id

    def has(self, *cards: str) -> list[str]:
        """Keep cards for them, made known to Stripe by a payment that nobody confirms."""
        job_id, _ = self.asks()
        assert self.shop.create(job_id).state == "done"
        return [str(self.stripe.client.v1.payment_methods.attach(card, {"customer": self.id}).id) for card in cards]

    @property
    def id(self) -> str:
        [row] = self.shop.sql("SELECT stripe_id FROM customers ORDER BY created_at DESC LIMIT 1")
        return str(row["stripe_id"])

    def charges(self) -> list[Any]:
        listed = self.stripe.client.v1.charges.list({"customer": self.id, "limit": 100})
        return [each for each in listed.data if each.status == "succeeded"]


@pytest.fixture
def ada(shop: House, stripe: Simulator) -> Customer:
    return Customer(shop, stripe)


def run(shop: House, job_id: str, stripe: Any = None) -> Any:
    return shop.create_again(job_id, None if stripe is None else shop.with_stripe(stripe))


def intent_of(shop: House, stripe: Simulator, payment_id: str) -> dict[str, Any]:
    found = stripe.client.v1.payment_intents.retrieve(shop.payment(payment_id)["stripe_id"])
    return dict(found.to_dict())


def test_a_hold_a_saved_card_and_a_receipt_are_asked_for(shop: House, stripe: Simulator, ada: Customer) -> None:
    job_id, payment_id = ada.asks(capture_method="manual", save_card=True, receipt=True)
    assert shop.create(job_id).state == "done"
    intent = intent_of(shop, stripe, payment_id)
    assert intent["capture_method"] == "manual"
    assert (intent["setup_future_usage"], intent["receipt_email"]) == ("off_session", ada.email)
    view = shop.payment_view(payment_id)
    assert (view.status, view.capture) == ("requires_confirmation", "manual")
    secret = str(view.client_secret)
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, "4242424242424242").status == "requires_capture"
    [kept] = stripe.client.v1.customers.payment_methods.list(ada.id).data
    assert kept.card is not None
    assert kept.card.last4 == "4242"


def test_what_is_not_asked_for_is_not_sent(shop: House, stripe: Simulator, ada: Customer) -> None:
    job_id, payment_id = ada.asks()
    assert shop.create(job_id).state == "done"
    intent = intent_of(shop, stripe, payment_id)
    assert (intent["setup_future_usage"], intent["receipt_email"]) == (None, None)
    assert intent["capture_method"] == "automatic_async"


def test_the_receipts_address_is_nowhere_in_the_database_in_clear(shop: House, ada: Customer) -> None:
    job_id, _ = ada.asks(receipt=True)
    assert shop.create(job_id).state == "done"
    for table in ("payments", "customers", "jobs"):
        assert ada.email not in str(shop.sql(f"SELECT {table}::text AS row FROM {table}"))  # noqa: S608 - our own names


def test_what_was_accepted_a_day_ago_is_looked_for_and_no_card_is_charged(shop: House, ada: Customer) -> None:
    """A restored database does not know which card was charged, or whether one was; Stripe may not know the key."""
    ada.has(GOOD)
    job_id, _ = ada.asks(off_session=True)
    shop.grow_older(job_id, 23.5 * 3600)
    assert {run(shop, job_id).state for _ in range(3)} == {"checking"}
    assert ada.charges() == []


def test_the_newest_saved_card_is_charged_at_once(shop: House, stripe: Simulator, ada: Customer) -> None:
    _, newest = ada.has(NO_FUNDS, GOOD)
    job_id, payment_id = ada.asks(off_session=True)
    assert shop.create(job_id).state == "done"
    row = shop.payment(payment_id)
    assert (row["status"], row["amount_received"], row["saved_card"]) == ("paid", 4950, newest)
    assert len(ada.charges()) == 1


def test_a_hold_may_be_put_on_a_saved_card(shop: House, stripe: Simulator, ada: Customer) -> None:
    ada.has(GOOD)
    job_id, payment_id = ada.asks(off_session=True, capture_method="manual")
    assert shop.create(job_id).state == "done"
    view = shop.payment_view(payment_id)
    assert (view.status, view.amount_capturable, view.amount_received) == ("requires_capture", 4950, 0)


def test_a_decline_is_an_outcome(shop: House, stripe: Simulator, ada: Customer) -> None:
    ada.has(NO_FUNDS)
    job_id, payment_id = ada.asks(off_session=True)
    assert shop.create(job_id).state == "done"
    view = shop.payment_view(payment_id)
    assert view.status == "declined"
    assert view.decline == {"code": "insufficient_funds", "message": view.decline["message"]} if view.decline else False
    assert view.client_secret  # it may yet be paid, by the customer themselves
    assert ada.charges() == []


def test_a_bank_that_wants_to_ask_brings_the_customer_back(shop: House, stripe: Simulator, ada: Customer) -> None:
    ada.has("pm_card_authenticationRequired")
    job_id, payment_id = ada.asks(off_session=True)
    assert shop.create(job_id).state == "done"
    view = shop.payment_view(payment_id)
    assert (view.status, view.decline) == ("requires_action", None)
    secret = str(view.client_secret)
    asked = shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, ALWAYS_ASKS)
    assert asked.authentication_url is not None
    paid = shopper.complete_three_d_secure(stripe.url, PUBLISHABLE_KEY, secret, asked.authentication_url)
    assert paid.status == "succeeded"


def test_a_card_that_was_set_up_by_a_payment_is_not_asked_for_again(
    shop: House, stripe: Simulator, ada: Customer
) -> None:
    job_id, payment_id = ada.asks(save_card=True)
    assert shop.create(job_id).state == "done"
    secret = str(shop.payment_view(payment_id).client_secret)
    asked = shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, ASKS_UNLESS_SAVED)
    assert asked.authentication_url is not None
    shopper.complete_three_d_secure(stripe.url, PUBLISHABLE_KEY, secret, asked.authentication_url)
    job_id, payment_id = ada.asks(off_session=True)
    assert shop.create(job_id).state == "done"
    assert shop.payment(payment_id)["status"] == "paid"


@pytest.mark.parametrize("known", [False, True], ids=["a new customer", "a customer without a card"])
def test_without_a_saved_card_the_job_is_refused(shop: House, ada: Customer, known: bool) -> None:
    if known:
        ada.has()
    job_id, payment_id = ada.asks(off_session=True)
    assert shop.create(job_id).state == "refused"
    assert shop.job(job_id)["problem"]["code"] == "no_saved_card"
    assert shop.payment(payment_id)["status"] == "failed"


def test_a_card_that_was_taken_away_meanwhile_is_no_card(shop: House, stripe: Simulator, ada: Customer) -> None:
    ada.has(GOOD)
    job_id, _ = ada.asks(off_session=True)
    gateway = shop.runtime.stripe

    def gone(**_: Any) -> Any:
        raise errors.StripeInvalidError(code="resource_missing")

    fake = FakeStripe(list_saved_cards=gateway.list_saved_cards, create_payment_intent=gone)
    assert run(shop, job_id, fake).state == "refused"
    assert shop.job(job_id)["problem"]["code"] == "no_saved_card"


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drop", "match": INTENTS},
        {"do": "reset", "match": INTENTS},
        {"do": "status", "match": INTENTS, "effect": True},
        {"do": "status", "match": INTENTS, "status": 502, "stored": False},
        {"do": "rate_limit", "match": INTENTS},
        {"do": "drop", "match": {"method": "GET", "path": "/payment_methods$"}},
    ],
    ids=["lost", "reset", "stored 500 that acted", "502", "rate limit", "no list"],
)
def test_a_card_is_charged_once_whatever_befalls_the_request(
    shop: House, stripe: Simulator, ada: Customer, fault: dict[str, Any]
) -> None:
    ada.has(GOOD)
    job_id, payment_id = ada.asks(off_session=True)
    stripe.faults(fault)
    first = shop.create(job_id)
    assert shop.payment(payment_id)["status"] != "failed"
    for _ in range(4):
        if first.state == "done":
            break
        first = run(shop, job_id)
    assert (first.state, shop.payment(payment_id)["status"]) == ("done", "paid")
    assert len(ada.charges()) == 1


def test_the_same_card_is_asked_for_again_even_if_a_newer_one_was_saved_meanwhile(
    shop: House, stripe: Simulator, ada: Customer
) -> None:
    [chosen] = ada.has(GOOD)
    job_id, payment_id = ada.asks(off_session=True)
    stripe.faults({"do": "status", "match": INTENTS, "status": 502, "stored": False})
    assert shop.create(job_id).state == "waiting"
    stripe.client.v1.payment_methods.attach(GOOD, {"customer": ada.id})
    assert run(shop, job_id).state == "done"
    assert intent_of(shop, stripe, payment_id)["payment_method"] == chosen


def test_a_stored_failure_never_begins_a_new_key_and_waits_for_an_operator(
    shop: House, stripe: Simulator, ada: Customer
) -> None:
    ada.has(GOOD)
    job_id, payment_id = ada.asks(off_session=True)
    stripe.faults({"do": "status", "match": INTENTS})
    assert shop.create(job_id).state == "checking"
    assert run(shop, job_id).state == "checking"
    shop.age_intent(job_id, shop.runtime.settings.jobs.generation_wait + 60)
    assert run(shop, job_id).state == "checking"
    assert (shop.job(job_id)["intent_generation"], ada.charges()) == (1, [])
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '1 minute' WHERE id = :id", id=job_id)
    assert run(shop, job_id).state == "checking"
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '3 minutes' WHERE id = :id", id=job_id)
    assert run(shop, job_id).state == "dead"
    assert shop.job(job_id)["verdict"] == "reconcile_first"
    assert shop.payment(payment_id)["status"] == "checking"
    with shop.runtime.transaction(Step.OUTCOME) as session:
        assert dead.not_done(session, [job_id], Operator("ada", "no charge in the dashboard")) == [job_id]
    assert run(shop, job_id).state == "checking"
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds' WHERE id = :id", id=job_id)
    assert run(shop, job_id).state == "cancelled"
    assert (shop.payment(payment_id)["status"], ada.charges()) == ("canceled", [])


def test_one_that_expires_before_a_card_was_chosen_was_surely_never_sent(
    shop: House, stripe: Simulator, ada: Customer
) -> None:
    ada.has(GOOD)
    job_id, _ = ada.asks(off_session=True)
    attempt = shop.attempt(job_id)
    with attempt.transaction(Step.INTENT) as session:
        attempt.intend(session, "pay_1/create/1", 1)
    shop.lapse(job_id)
    shop.rescue()
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '1 hour' WHERE id = :id", id=job_id)
    assert run(shop, job_id).state == "dead"
    assert shop.job(job_id)["verdict"] == "safe_to_replay"
