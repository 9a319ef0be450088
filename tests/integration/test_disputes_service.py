"""Disputes, at the simulator: whatever is heard in whatever order, row, payment and ledger end as Stripe knows them."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tests.builders.dispute_stage import Disputed, accounts, ask_for_fetch, close, disputed, hear_of, row_of
from tests.builders.dispute_stage import dispute as dispute_there
from tests.builders.entries import event_entry, payment_entry, refund_entry
from tests.builders.house import House
from tests.builders.invoice_stage import hear, settle
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import dispute, event

pytestmark = pytest.mark.servers
AMOUNT = 4950
FEE = 2000  # what the simulator takes for a chargeback, in pence
FEES = """
SELECT sum(amount)::bigint AS total FROM ledger_entries JOIN ledger_transactions
    ON ledger_transactions.id = transaction_id
WHERE payment_id = :id AND kind = 'dispute_fee' AND account = 'fees'
"""


@pytest.fixture
def shop(shared_shop: House) -> House:
    """One house for all tests here, which look at payments of their own alone."""
    return shared_shop


def statuses(house: House, found: Disputed) -> list[str]:
    return house.moves(row_of(house, found)["id"])


def money_away(house: House, found: Disputed) -> int:
    return accounts(house, found.payment).get("disputes", 0)


def standing(house: House, found: Disputed) -> tuple[str, str]:
    """Return the status of the dispute, and of its payment."""
    return row_of(house, found)["status"], house.payment(found.payment)["status"]


def test_a_chargeback_takes_the_money_and_is_shown_with_its_payment(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe, reason="product_not_received")
    row = row_of(shop, found)
    assert (row["case_type"], row["reason"], row["network_reason_code"]) == (
        "chargeback",
        "product_not_received",
        "13.1",
    )
    assert (row["amount"], row["withdrawn"], row["reinstated"], row["submissions"]) == (AMOUNT, AMOUNT, 0, 0)
    assert standing(shop, found) == ("needs_response", "disputed")
    assert money_away(shop, found) == AMOUNT
    view = shop.payment_view(found.payment)
    assert view.dispute is not None
    assert (view.status, view.dispute["id"], view.dispute["status"]) == ("disputed", row["id"], "needs_response")
    assert (view.dispute["amount"], view.dispute["reason"], view.dispute["answered"]) == (AMOUNT, row["reason"], False)
    assert view.dispute["due_by"] is not None


@pytest.mark.parametrize(
    ("outcome", "payment_status", "away"), [("won", "paid", 0), ("lost", "disputed", AMOUNT)], ids=["won", "lost"]
)
def test_what_is_won_comes_back_without_the_fee_and_what_is_lost_stays_away(
    shop: House, stripe: Simulator, outcome: str, payment_status: str, away: int
) -> None:
    found = disputed(shop, stripe)
    close(shop, stripe, found, outcome)
    assert standing(shop, found) == (outcome, payment_status)
    assert statuses(shop, found) == ["needs_response", outcome]
    assert money_away(shop, found) == away
    row = row_of(shop, found)
    assert (row["withdrawn"], row["reinstated"]) == (AMOUNT, AMOUNT - away)
    there = stripe.client.v1.disputes.retrieve(found.at_stripe)
    fees = [each.fee for each in there.balance_transactions]
    [posted] = shop.sql(FEES, id=found.payment)
    assert (posted["total"], fees[0]) == (sum(fees), FEE)


@pytest.mark.parametrize("outcome", ["warning_closed", "prevented"])
def test_an_inquiry_moves_no_money_and_leaves_its_payment_paid(shop: House, stripe: Simulator, outcome: str) -> None:
    found = disputed(shop, stripe, inquiry=True)
    assert standing(shop, found) == ("warning_needs_response", "paid")
    assert row_of(shop, found)["is_charge_refundable"] is True
    close(shop, stripe, found, outcome)
    assert standing(shop, found) == (outcome, "paid")
    assert money_away(shop, found) == 0


def test_an_inquiry_that_is_escalated_is_the_same_dispute_and_takes_the_money(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe, inquiry=True)
    stripe.control("POST", "disputes/escalate", {"dispute": found.at_stripe})
    hear_of(shop, stripe, found)
    assert standing(shop, found) == ("needs_response", "disputed")
    assert (row_of(shop, found)["case_type"], money_away(shop, found)) == ("chargeback", AMOUNT)
    close(shop, stripe, found, "won")
    assert standing(shop, found) == ("won", "paid")
    assert statuses(shop, found) == ["warning_needs_response", "needs_response", "won"]


def test_a_part_that_is_disputed_is_all_that_goes(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe, amount=1000)
    assert (row_of(shop, found)["amount"], money_away(shop, found)) == (1000, 1000)


def test_evidence_by_stripes_dashboard_is_seen_and_puts_it_under_review(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe)
    stripe.client.v1.disputes.update(found.at_stripe, {"evidence": {"service_date": "2026-03-12"}, "submit": True})
    hear_of(shop, stripe, found)
    row = row_of(shop, found)
    assert (row["status"], row["submissions"], row["has_evidence"], row["past_due"]) == ("under_review", 1, True, False)
    view = shop.payment_view(found.payment)
    assert view.dispute is not None
    assert (view.dispute["status"], view.dispute["answered"]) == ("under_review", True)


@pytest.mark.parametrize("seed", range(6))
def test_in_whatever_order_and_however_often_it_is_heard_it_ends_the_same(
    shop: House, stripe: Simulator, seed: int
) -> None:
    found = disputed(shop, stripe, heard=False, inquiry=seed % 2 == 1)
    if seed % 2:
        stripe.control("POST", "disputes/escalate", {"dispute": found.at_stripe})
    outcome = "lost" if seed % 3 else "won"
    stripe.control("POST", "disputes/close", {"dispute": found.at_stripe, "outcome": outcome})
    bodies = [body for _, body in stripe.events_of(found.at_stripe)] * 2
    random.Random(seed).shuffle(bodies)
    hear(shop, *bodies)
    assert standing(shop, found) == (outcome, "disputed" if outcome == "lost" else "paid")
    assert money_away(shop, found) == (AMOUNT if outcome == "lost" else 0)
    assert shop.payment(found.payment)["dirty"] is False


def test_a_dispute_whose_events_are_lost_is_learnt_of_when_its_payment_is_fetched(
    shop: House, stripe: Simulator
) -> None:
    found = disputed(shop, stripe, heard=False)
    # Stripe tells of the charge in an event of its own.
    charge = stripe.client.v1.payment_intents.retrieve(found.intent, {"expand": ["latest_charge"]}).latest_charge
    hear(shop, event("charge.updated", charge.to_dict()))  # type: ignore[union-attr] - it was expanded
    ask_for_fetch(shop, found)
    settle(shop)
    assert standing(shop, found) == ("needs_response", "disputed")
    assert money_away(shop, found) == AMOUNT
    stripe.control("POST", "disputes/close", {"dispute": found.at_stripe, "outcome": "won"})
    ask_for_fetch(shop, found)
    settle(shop)
    assert (standing(shop, found), money_away(shop, found)) == (("won", "paid"), 0)


def test_a_charge_that_says_it_was_disputed_has_its_disputes_fetched(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe, heard=False)
    charge = stripe.client.v1.payment_intents.retrieve(found.intent, {"expand": ["latest_charge"]}).latest_charge
    hear(shop, event("charge.updated", charge.to_dict()))  # type: ignore[union-attr] - it was expanded
    assert standing(shop, found) == ("needs_response", "disputed")
    assert money_away(shop, found) == AMOUNT


def test_a_payment_that_is_found_again_after_a_restore_has_its_disputes_fetched(shop: House, stripe: Simulator) -> None:
    """Its dispute's events came before it was known, and were foreign."""
    entry = payment_entry()
    shop.take_in(entry)
    stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    assert shop.create(entry.job_id).state == "checking"
    stripe.control("DELETE", "faults")
    [made] = [
        each
        for each in stripe.client.v1.payment_intents.list({"limit": 20}).data
        if each.metadata.to_dict().get("tollgate_payment") == entry.subject_id
    ]
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, str(made.client_secret), "4242424242424242").status == "succeeded"
    found = dispute_there(shop, stripe, entry.subject_id, made.id, heard=False)
    assert shop.create_again(entry.job_id).state == "done"
    settle(shop)
    assert standing(shop, found) == ("needs_response", "disputed")
    assert money_away(shop, found) == AMOUNT


def test_an_inquiry_whose_events_are_lost_never_calls_its_payment_disputed(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe, heard=False, inquiry=True)
    ask_for_fetch(shop, found)
    settle(shop)
    assert standing(shop, found) == ("warning_needs_response", "paid")
    assert "disputed" not in shop.moves(found.payment)


def test_a_status_that_is_not_known_changes_nothing_but_its_money_is_posted(shop: House, stripe: Simulator) -> None:
    found = disputed(shop, stripe)
    told = dispute(found.intent, id=found.at_stripe, status="on_the_moon", amount=1)
    hear(shop, event("charge.dispute.updated", told, 10**7))
    row = row_of(shop, found)
    assert (row["status"], row["amount"]) == ("needs_response", AMOUNT)


def test_a_payment_of_whose_disputes_no_status_is_known_is_disputed_by_its_charges_word(
    shop: House, stripe: Simulator
) -> None:
    found = disputed(shop, stripe, heard=False)
    listed = shop.runtime.stripe.disputes.of_intent(found.intent)
    strange = dataclasses.replace(
        listed, value=[dataclasses.replace(each, status="on_the_moon") for each in listed.value]
    )
    told = dispute(found.intent, id=found.at_stripe, status="on_the_moon")
    entry = event_entry(event("charge.dispute.created", told))
    shop.take_in(entry)
    shop.handle(entry.job_id)
    runtime = shop.with_stripe(Listing(shop.runtime.stripe, strange))
    assert [result.state for result in shop.refresh_all(runtime)] == ["done"]
    assert shop.refresh_all(runtime) == []
    payment = shop.payment(found.payment)
    assert (payment["status"], payment["dirty"]) == ("disputed", False)
    assert money_away(shop, found) == AMOUNT


class Listing:
    """Stripe's API, but for the list of disputes, which is what a test says."""

    def __init__(self, stripe: Any, answer: Any) -> None:
        self._stripe, self._answer = stripe, answer
        self.disputes = self

    def of_intent(self, _name: str, _between: Any) -> Any:
        return self._answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stripe, name)


def test_a_refund_of_what_is_asked_about_is_allowed_and_of_what_is_charged_back_is_not(
    shop: House, stripe: Simulator
) -> None:
    asked_about, charged_back = disputed(shop, stripe, inquiry=True), disputed(shop, stripe)
    assert refund(shop, asked_about) == "done"
    assert refund(shop, charged_back) == "refused"


def refund(house: House, found: Disputed) -> str:
    entry = refund_entry(found.payment)
    house.take_in(entry)
    return house.refund(entry.job_id).state
