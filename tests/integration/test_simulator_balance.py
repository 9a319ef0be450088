"""The simulator's balance: what is listed, what a payout pays out, and what is planted for a reconciliation to find."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.builders.simulator import Simulator, running

FOUR_DAYS = 4 * 24 * 3600


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator of this test's own, whose clock may move."""
    with running() as process:
        yield process


def paid(simulator: Simulator, amount: int = 5000, currency: str = "gbp") -> stripe.PaymentIntent:
    return simulator.client.v1.payment_intents.create(
        {
            "amount": amount,
            "currency": currency,
            "payment_method": "pm_card_visa",
            "confirm": True,
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "capture_method": "automatic",
        }
    )


def movements(simulator: Simulator, **params: Any) -> list[Any]:
    return simulator.client.v1.balance_transactions.list({"limit": 100, **params}).data  # type: ignore[typeddict-item]


def test_movements_are_listed_by_what_they_are(simulator: Simulator) -> None:
    first, second = paid(simulator), paid(simulator, currency="eur")
    refund = simulator.client.v1.refunds.create({"payment_intent": first.id, "amount": 700})
    assert [each.amount for each in movements(simulator, source=refund.id)] == [-700]
    assert [each.source for each in movements(simulator, type="charge", currency="eur")] == [second.latest_charge]
    assert len(movements(simulator)) == 3
    assert movements(simulator, created={"lt": movements(simulator)[-1].created}) == []


def test_a_payout_pays_out_what_no_other_has(simulator: Simulator) -> None:
    paid(simulator)
    one = simulator.control("POST", "payouts", {"currency": "gbp"})
    paid(simulator, 3000)
    two = simulator.control("POST", "payouts", {"currency": "gbp"})
    for payout in (one, two):
        parts = movements(simulator, payout=payout["id"])
        assert sum(each.net for each in parts if each.type != "payout") == payout["amount"]
        assert sum(each.net for each in parts) == 0
    assert one["amount"] != two["amount"]


def test_a_payout_that_failed_is_paid_out_by_the_next(simulator: Simulator) -> None:
    paid(simulator)
    one = simulator.control("POST", "payouts", {"currency": "gbp"})
    simulator.control("POST", "payouts/fail", {"payout": one["id"]})
    two = simulator.control("POST", "payouts", {"currency": "gbp"})
    assert two["amount"] == one["amount"]
    assert [each.type for each in movements(simulator, payout=two["id"])] == ["payout", "payout_failure"]


def test_a_movement_becomes_available_after_days(simulator: Simulator) -> None:
    paid(simulator)
    assert [each.status for each in movements(simulator)] == ["pending"]
    simulator.control("POST", "clock", {"advance_seconds": FOUR_DAYS})
    assert [each.status for each in movements(simulator)] == ["available"]


def test_the_source_of_a_movement_is_expanded_whatever_it_is(simulator: Simulator) -> None:
    intent = paid(simulator)
    simulator.client.v1.refunds.create({"payment_intent": intent.id})
    second = paid(simulator)
    simulator.control("POST", "payouts", {"currency": "gbp"})
    simulator.control("POST", "disputes", {"charge": second.latest_charge})
    sources = [each.source for each in movements(simulator, expand=["data.source"])]
    assert [each.object for each in sources] == ["dispute", "payout", "charge", "refund", "charge"]


def test_a_planted_charge_is_there_and_no_event_tells_of_it(simulator: Simulator) -> None:
    planted = simulator.control("POST", "plant/charge", {"amount": 4200, "currency": "gbp", "metadata": {"a": "b"}})
    assert simulator.client.v1.charges.retrieve(planted["id"]).paid
    assert [each.source for each in movements(simulator)] == [planted["id"]]
    assert simulator.client.v1.events.list().data == []


def test_a_planted_fee_is_what_stripe_keeps(simulator: Simulator) -> None:
    intent = paid(simulator)
    simulator.control("POST", "plant/fee", {"charge": intent.latest_charge, "fee": 321})
    [moved] = movements(simulator)
    assert (moved.fee, moved.net, [each.amount for each in moved.fee_details]) == (321, 5000 - 321, [321])


def test_what_happens_while_webhooks_are_switched_off_is_never_delivered(simulator: Simulator) -> None:
    simulator.control("POST", "webhook_endpoints", {"url": "http://127.0.0.1:9/hook", "secrets": ["whsec_x"]})
    simulator.control("POST", "webhook_endpoints/switch", {"on": False})
    paid(simulator)
    simulator.control("POST", "webhook_endpoints/switch", {"on": True})
    assert simulator.control("GET", "health")["deliveries"] == 0
    assert len(simulator.client.v1.events.list().data) > 0


def test_answers_are_dated_by_the_simulated_clock(simulator: Simulator) -> None:
    def dated() -> str:
        return str(simulator.client.v1.customers.list().last_response.headers["Date"])

    before = dated()
    simulator.control("POST", "clock", {"advance_seconds": FOUR_DAYS})
    assert before[:16] != dated()[:16]
