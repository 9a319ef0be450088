"""Disputes and early fraud warnings at the simulator, as stripe-python sees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import stripe

from tests.builders.simulator import Simulator, running

AMOUNT = 4950
FEE = 2000
DAY = 24 * 60 * 60


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as started:
        yield started


@pytest.fixture
def elsewhere() -> Iterator[Simulator]:
    """A simulator of a test's own, whose clock it may move."""
    with running() as started:
        yield started


def pay(simulator: Simulator, card: str = "pm_card_visa", **params: Any) -> stripe.PaymentIntent:
    given: Any = {"amount": AMOUNT, "currency": "gbp", "confirm": True, "payment_method": card, **params}
    return simulator.client.v1.payment_intents.create(given)


def dispute_of(simulator: Simulator, intent: stripe.PaymentIntent) -> stripe.Dispute:
    [found] = simulator.client.v1.disputes.list({"payment_intent": intent.id}).data
    return found


def disputed(simulator: Simulator, card: str = "pm_card_createDispute") -> stripe.Dispute:
    return dispute_of(simulator, pay(simulator, card))


def again(simulator: Simulator, dispute: stripe.Dispute) -> stripe.Dispute:
    return simulator.client.v1.disputes.retrieve(dispute.id)


def send(simulator: Simulator, dispute: stripe.Dispute, text: str = "She came.", **params: Any) -> stripe.Dispute:
    given: Any = {"evidence": {"uncategorized_text": text}, **params}
    return simulator.client.v1.disputes.update(dispute.id, given)


def told_of(simulator: Simulator, name: str) -> list[str]:
    """Return what was told of an object, the oldest first."""
    events = simulator.client.v1.events.list({"limit": 100}).data
    return [event.type for event in events if event.data.object["id"] == name][::-1]


def moved(dispute: stripe.Dispute) -> list[tuple[int, int]]:
    return [(each.amount, each.fee) for each in dispute.balance_transactions]


@pytest.mark.parametrize(
    ("card", "reason", "code"),
    [
        ("pm_card_createDispute", "fraudulent", "10.4"),
        ("pm_card_createDisputeProductNotReceived", "product_not_received", "13.1"),
    ],
)
def test_a_chargeback_takes_the_money_and_a_fee_at_once(
    simulator: Simulator, card: str, reason: str, code: str
) -> None:
    found = disputed(simulator, card)
    assert (found.status, found.reason, found.is_charge_refundable) == ("needs_response", reason, False)
    assert found.payment_method_details is not None
    assert found.payment_method_details.card is not None
    shown = found.payment_method_details.card
    assert (shown.case_type, shown.network_reason_code) == ("chargeback", code)
    assert moved(found) == [(-AMOUNT, FEE)]
    assert told_of(simulator, found.id) == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert found.evidence_details.due_by is not None
    assert found.evidence_details.due_by % DAY == DAY - 1


def test_a_held_payment_is_disputed_only_once_it_is_captured(simulator: Simulator) -> None:
    held = pay(simulator, "pm_card_createDispute", capture_method="manual")
    assert simulator.client.v1.disputes.list({"payment_intent": held.id}).data == []
    simulator.client.v1.payment_intents.capture(held.id, {"amount_to_capture": 1000})
    assert dispute_of(simulator, held).amount == 1000


def test_evidence_is_staged_until_it_is_submitted(simulator: Simulator) -> None:
    found = disputed(simulator)
    staged = send(simulator, found, submit=False)
    assert (staged.status, staged.evidence_details.has_evidence) == ("needs_response", True)
    assert staged.evidence_details.submission_count == 0
    sent = simulator.client.v1.disputes.update(found.id, {"submit": True})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    assert sent.evidence.uncategorized_text == "She came."
    assert (sent.evidence_details.submission_method, sent.evidence_details.past_due) == ("manual", False)


def test_evidence_is_submitted_once(simulator: Simulator) -> None:
    found = disputed(simulator)
    send(simulator, found)
    with pytest.raises(stripe.InvalidRequestError, match="already been submitted"):
        send(simulator, found, "And again.")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"submit": True}, "no evidence to submit"),
        ({"evidence": {"uncategorized_text": "x" * 20_001}}, "at most 20000 characters"),
        ({"evidence": {"receipt": "file_1"}}, "No such file upload: 'file_1'"),
        ({"evidence": {"colour": "red"}}, r"unknown parameter: evidence\[colour\]"),
    ],
    ids=["nothing to submit", "too long", "a file", "an unknown field"],
)
def test_what_stripe_would_not_take_is_refused(simulator: Simulator, params: Any, message: str) -> None:
    found = disputed(simulator)
    with pytest.raises(stripe.InvalidRequestError, match=message):
        simulator.client.v1.disputes.update(found.id, params)
    assert again(simulator, found).status == "needs_response"


def test_all_evidence_together_has_a_limit_of_its_own(simulator: Simulator) -> None:
    names = (
        "access_activity_log",
        "cancellation_policy_disclosure",
        "cancellation_rebuttal",
        "duplicate_charge_explanation",
        "product_description",
        "refund_policy_disclosure",
        "refund_refusal_explanation",
        "service_date",
    )
    found = disputed(simulator)
    evidence: Any = dict.fromkeys(names, "x" * 20_000)
    with pytest.raises(stripe.InvalidRequestError, match="combined length"):
        simulator.client.v1.disputes.update(found.id, {"evidence": evidence})


def test_metadata_alone_submits_nothing(simulator: Simulator) -> None:
    found = disputed(simulator)
    noted = simulator.client.v1.disputes.update(found.id, {"metadata": {"who": "ada"}})
    assert (noted.status, noted.metadata["who"], noted.evidence_details.submission_count) == (
        "needs_response",
        "ada",
        0,
    )


def test_winning_evidence_brings_the_money_back_but_not_the_fee(simulator: Simulator) -> None:
    found = disputed(simulator)
    assert send(simulator, found, "winning_evidence").status == "under_review"
    won = again(simulator, found)
    assert (won.status, won.is_charge_refundable) == ("won", True)
    assert moved(won) == [(-AMOUNT, FEE), (AMOUNT, 0)]
    assert told_of(simulator, found.id)[2:] == [
        "charge.dispute.updated",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]


def test_losing_evidence_leaves_the_money_gone(simulator: Simulator) -> None:
    found = disputed(simulator)
    send(simulator, found, "losing_evidence")
    lost = again(simulator, found)
    assert (lost.status, moved(lost)) == ("lost", [(-AMOUNT, FEE)])


def test_a_dispute_that_is_accepted_is_lost_and_takes_nothing_more(simulator: Simulator) -> None:
    found = disputed(simulator)
    assert simulator.client.v1.disputes.close(found.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        simulator.client.v1.disputes.close(found.id)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        send(simulator, found)


def test_an_inquiry_moves_no_money_and_leaves_the_charge_refundable(simulator: Simulator) -> None:
    intent = pay(simulator, "pm_card_createDisputeInquiry")
    found = dispute_of(simulator, intent)
    assert (found.status, moved(found), found.is_charge_refundable) == ("warning_needs_response", [], True)
    assert told_of(simulator, found.id) == ["charge.dispute.created"]
    assert simulator.client.v1.refunds.create({"payment_intent": intent.id, "amount": 100}).status == "succeeded"
    assert send(simulator, found).status == "warning_under_review"


@pytest.mark.parametrize("outcome", ["warning_closed", "prevented"])
def test_an_inquiry_may_end_without_a_chargeback(simulator: Simulator, outcome: str) -> None:
    found = disputed(simulator, "pm_card_createDisputeInquiry")
    simulator.control("POST", "disputes/close", {"dispute": found.id, "outcome": outcome})
    assert (again(simulator, found).status, moved(again(simulator, found))) == (outcome, [])


def test_an_inquiry_that_escalates_is_the_same_dispute_and_takes_the_money(simulator: Simulator) -> None:
    found = disputed(simulator, "pm_card_createDisputeInquiry")
    assert send(simulator, found, "escalate_inquiry_evidence").status == "warning_under_review"
    now = again(simulator, found)
    assert (now.status, moved(now), now.is_charge_refundable) == ("needs_response", [(-AMOUNT, FEE)], False)
    assert told_of(simulator, found.id)[-1] == "charge.dispute.funds_withdrawn"
    assert send(simulator, found).evidence_details.submission_count == 2


def test_a_disputed_charge_is_refunded_only_when_the_dispute_was_won(simulator: Simulator) -> None:
    intent = pay(simulator, "pm_card_createDispute")
    found = dispute_of(simulator, intent)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        simulator.client.v1.refunds.create({"payment_intent": intent.id})
    assert refused.value.code == "charge_disputed"
    send(simulator, found, "winning_evidence")
    assert simulator.client.v1.refunds.create({"payment_intent": intent.id}).status == "succeeded"


def test_a_part_of_a_charge_may_be_disputed_for_any_reason(simulator: Simulator) -> None:
    charge = pay(simulator, "pm_card_mastercard").latest_charge
    given = {"charge": charge, "amount": 1200, "reason": "duplicate"}
    begun = simulator.control("POST", "disputes", given)
    found = simulator.client.v1.disputes.retrieve(begun["id"])
    assert (found.amount, found.reason, moved(found)) == (1200, "duplicate", [(-1200, FEE)])
    assert found.payment_method_details is not None
    assert found.payment_method_details.card is not None
    assert found.payment_method_details.card.network_reason_code == "4834"


def test_evidence_that_comes_too_late_is_marked_as_late(elsewhere: Simulator) -> None:
    found = disputed(elsewhere)
    elsewhere.control("POST", "clock", {"advance_seconds": 9 * DAY})
    assert send(elsewhere, found).evidence_details.past_due is True


def test_a_chargeback_that_nobody_answers_is_lost(elsewhere: Simulator) -> None:
    found, asked = disputed(elsewhere), disputed(elsewhere, "pm_card_createDisputeInquiry")
    elsewhere.control("POST", "clock", {"advance_seconds": 11 * DAY})
    assert (again(elsewhere, found).status, again(elsewhere, asked).status) == ("lost", "warning_needs_response")
    elsewhere.control("POST", "clock", {"advance_seconds": 120 * DAY})
    assert again(elsewhere, asked).status == "warning_closed"


def test_a_warning_is_actionable_until_its_charge_is_refunded_as_a_whole(simulator: Simulator) -> None:
    client = simulator.client.v1
    intent = pay(simulator, "pm_card_createIssuerFraudRecord")
    [warning] = client.radar.early_fraud_warnings.list({"payment_intent": intent.id}).data
    assert (warning.actionable, warning.charge) == (True, intent.latest_charge)
    client.refunds.create({"payment_intent": intent.id, "amount": 100})
    assert client.radar.early_fraud_warnings.retrieve(warning.id).actionable is True
    client.refunds.create({"payment_intent": intent.id})
    assert client.radar.early_fraud_warnings.retrieve(warning.id).actionable is False
    assert told_of(simulator, warning.id) == [
        "radar.early_fraud_warning.created",
        "radar.early_fraud_warning.updated",
    ]


def test_a_warning_is_not_actionable_once_its_charge_is_disputed(simulator: Simulator) -> None:
    charge = pay(simulator).latest_charge
    warning = simulator.control("POST", "early_fraud_warnings", {"charge": charge, "fraud_type": "made_with_lost_card"})
    assert (warning["actionable"], warning["fraud_type"]) == (True, "made_with_lost_card")
    simulator.control("POST", "disputes", {"charge": charge})
    assert simulator.client.v1.radar.early_fraud_warnings.retrieve(warning["id"]).actionable is False
