"""Early fraud warnings: flagged, given back once where the policy says so, and over when Stripe says so."""

from __future__ import annotations

import dataclasses
import itertools
import json
from types import MappingProxyType
from typing import Any

import pytest

from config.fraud_settings import FraudSettings
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House
from tests.builders.payments import AMOUNT, plant_payment
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import event, fraud_warning
from workers.runtime import Runtime

pytestmark = pytest.mark.servers
CREATED, UPDATED = "radar.early_fraud_warning.created", "radar.early_fraud_warning.updated"
GOOD_CARD = "4242424242424242"
WARNED = {"warning": "issfr_1", "fraud_type": "made_with_stolen_card"}


def below(house: House, amount: int, currency: str = "gbp") -> Runtime:
    """Return the runtime with a policy."""
    fraud = FraudSettings(MappingProxyType({currency: amount}))
    return dataclasses.replace(house.runtime, settings=dataclasses.replace(house.runtime.settings, fraud=fraud))


def hear(house: House, *bodies: bytes, runtime: Runtime | None = None) -> list[str]:
    """Handle events one after the other; return the states of their jobs."""
    states = []
    for body in bodies:
        entry = event_entry(body)
        house.take_in(entry)
        house.make_due(entry.job_id)
        states += [result.state for result in house.handle(entry.job_id, runtime=runtime)]
    return states


def of(house: House, payment: str, kind: str = CREATED, at: int = 10, *, actionable: bool = True) -> bytes:
    name = str(house.payment(payment)["stripe_id"])
    return event(kind, fraud_warning(name, actionable=actionable, name="issfr_1"), at)


def flags(house: House, payment: str) -> list[Any]:
    return [
        row["details"]
        for row in house.sql(
            "SELECT details FROM flags WHERE kind = 'fraud_warning' AND subject_id = :id AND cleared_at IS NULL",
            id=payment,
        )
    ]


def refunds_asked(house: House) -> list[dict[str, Any]]:
    return [json.loads(house.payload(row["id"])) for row in house.jobs("refunds.create")]


def test_without_a_policy_a_warned_payment_is_flagged_for_an_operator(house: House) -> None:
    payment = plant_payment(house)
    assert hear(house, of(house, payment)) == ["done"]
    assert flags(house, payment) == [{**WARNED, "then": "nothing"}]
    assert list(house.payment_view(payment).flags) == ["fraud_warning"]
    assert refunds_asked(house) == []


@pytest.mark.parametrize(("limit", "given_back"), [(AMOUNT + 1, True), (AMOUNT, False)])
def test_only_what_is_below_the_amount_that_is_set_is_given_back(house: House, limit: int, given_back: bool) -> None:
    payment = plant_payment(house)
    hear(house, of(house, payment), runtime=below(house, limit))
    assert [each["payment_id"] for each in refunds_asked(house)] == ([payment] if given_back else [])
    assert flags(house, payment) == [{**WARNED, "then": "refund" if given_back else "nothing"}]


def test_a_policy_for_another_currency_gives_nothing_back(house: House) -> None:
    payment = plant_payment(house)
    hear(house, of(house, payment), runtime=below(house, AMOUNT + 1, "eur"))
    assert refunds_asked(house) == []


def test_however_often_a_payment_is_warned_of_it_is_given_back_once(house: House) -> None:
    payment, runtime = plant_payment(house), below(house, AMOUNT + 1)
    name = str(house.payment(payment)["stripe_id"])
    another = event(CREATED, fraud_warning(name, name="issfr_2"), 20)
    first = of(house, payment)
    assert hear(house, first, first, another, runtime=runtime) == ["done", "done"]
    [asked] = refunds_asked(house)
    assert (asked["amount"], asked["reason"]) == (None, "fraudulent")


def test_what_is_only_held_is_cancelled(house: House) -> None:
    payment = plant_payment(house, "requires_capture", stripe_status="requires_capture")
    hear(house, of(house, payment), runtime=below(house, AMOUNT + 1))
    [job] = house.jobs("payments.cancel")
    asked = json.loads(house.payload(job["id"]))
    assert (asked["payment_id"], asked["reason"], refunds_asked(house)) == (payment, "fraudulent", [])
    assert flags(house, payment) == [{**WARNED, "then": "cancel"}]


@pytest.mark.parametrize("order", list(itertools.permutations((0, 1))), ids=["in order", "the end first"])
def test_a_warning_that_is_over_leaves_no_flag_in_whatever_order_it_is_heard(
    house: House, order: tuple[int, ...]
) -> None:
    payment = plant_payment(house)
    bodies = [of(house, payment), of(house, payment, UPDATED, 20, actionable=False)]
    hear(house, *(bodies[each] for each in order), runtime=below(house, AMOUNT + 1))
    assert flags(house, payment) == []
    assert list(house.payment_view(payment).flags) == []
    assert len(refunds_asked(house)) == (1 if order == (0, 1) else 0)


def test_a_warning_that_comes_when_nothing_can_be_done_does_nothing(house: House) -> None:
    payment = plant_payment(house, "disputed", disputed=True)
    hear(house, of(house, payment, actionable=False), runtime=below(house, AMOUNT + 1))
    assert (flags(house, payment), refunds_asked(house)) == ([], [])


def test_a_warning_of_somebody_elses_payment_is_foreign(house: House) -> None:
    body = event(CREATED, fraud_warning("pi_of_another_shop"))
    assert hear(house, body) == ["done"]
    assert house.one("SELECT outcome FROM stripe_events")["outcome"] == "foreign"


@pytest.mark.parametrize("kind", [CREATED, "charge.dispute.created"])
def test_after_a_restore_it_waits_for_a_payment_that_may_come_out_of_the_journal(house: House, kind: str) -> None:
    entry = event_entry(event(kind, fraud_warning("pi_not_back_yet")))
    house.take_in(entry)
    house.sql("UPDATE jobs SET accepted_at = accepted_at - interval '1 hour' WHERE id = :id", id=entry.job_id)
    assert [result.state for result in house.handle(entry.job_id)] == ["waiting"]
    assert "pi_not_back_yet" in house.job(entry.job_id)["last_error"]["message"]
    for _ in range(8):
        house.make_due(entry.job_id)
        house.handle(entry.job_id)
    assert house.one("SELECT outcome FROM stripe_events")["outcome"] == "foreign"


def test_a_warning_that_precedes_the_news_of_its_payment_is_paid_back_when_that_has_come(
    shop: House, stripe: Simulator
) -> None:
    """The whole way, at the simulator: warned, given back, and the flag gone by Stripe's own word."""
    entry = payment_entry()
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    secret = shop.payment_view(entry.subject_id).client_secret
    assert secret is not None
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, GOOD_CARD).status == "succeeded"
    intent = secret.partition("_secret_")[0]
    charge = str(stripe.client.v1.payment_intents.retrieve(intent).latest_charge)
    warning = stripe.control("POST", "early_fraud_warnings", {"charge": charge})
    assert hear(shop, event_of(stripe, warning["id"], CREATED), runtime=below(shop, AMOUNT + 1)) == ["done"]
    [job] = [row for row in shop.jobs("refunds.create") if payment_of(shop, row["id"]) == entry.subject_id]
    assert shop.refund(job["id"]).state == "waiting"  # that it was paid is not known here
    hear(shop, event_of(stripe, intent, "payment_intent.succeeded"))
    assert shop.refund(job["id"]).state == "done"
    [given_back] = stripe.client.v1.refunds.list({"payment_intent": intent}).data
    assert (given_back.amount, given_back.reason) == (AMOUNT, "fraudulent")
    hear(shop, event_of(stripe, warning["id"], UPDATED))
    shop.refresh_all()
    assert (shop.payment(entry.subject_id)["status"], flags(shop, entry.subject_id)) == ("refunded", [])


def event_of(stripe: Simulator, name: str, kind: str) -> bytes:
    """Return the body of Stripe's event of that type about that object."""
    [found] = [each for each in stripe.listed("events", type=kind) if each["data"]["object"]["id"] == name]
    return json.dumps(found).encode()


def payment_of(house: House, job_id: str) -> str:
    return str(json.loads(house.payload(job_id))["payment_id"])
