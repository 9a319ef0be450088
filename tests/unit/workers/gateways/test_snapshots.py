from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from config.errors import ContractError
from tests.unit.workers.gateways.objects import NEW_YEAR, charge, listed, payment_intent
from workers.gateways.snapshots import charge_snapshot, payment_intent_snapshot, saved_card_snapshots


def test_a_fresh_payment_intent_has_no_charge_so_nothing_is_refunded_or_disputed() -> None:
    snapshot = payment_intent_snapshot(payment_intent())
    assert (snapshot.charge_id, snapshot.amount_refunded, snapshot.disputed) == (None, 0, False)
    assert (snapshot.id, snapshot.status, snapshot.amount) == ("pi_1", "requires_payment_method", 4900)
    assert (snapshot.currency, snapshot.customer_id) == ("gbp", "cus_1")
    assert snapshot.client_secret == "pi_1_secret_2"
    assert snapshot.operation == "pay_1/create/1"
    assert snapshot.created == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_charge_that_was_not_expanded_leaves_refunds_and_disputes_open() -> None:
    snapshot = payment_intent_snapshot(payment_intent(latest_charge="ch_1"))
    assert (snapshot.charge_id, snapshot.amount_refunded, snapshot.disputed) == ("ch_1", None, None)


def test_an_expanded_charge_tells_of_refunds_and_disputes() -> None:
    expanded = payment_intent(latest_charge=charge(amount_refunded=900, disputed=True), customer={"id": "cus_9"})
    snapshot = payment_intent_snapshot(expanded)
    assert (snapshot.charge_id, snapshot.amount_refunded, snapshot.disputed) == ("ch_1", 900, True)
    assert snapshot.customer_id == "cus_9"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds", "message": "No."}, "insufficient_funds"),
        ({"code": "expired_card", "message": "No."}, "expired_card"),
        ({"code": "expired_card", "decline_code": None, "message": "No."}, "expired_card"),
    ],
)
def test_a_decline_is_named_as_closely_as_stripe_names_it(error: dict[str, Any], code: str) -> None:
    snapshot = payment_intent_snapshot(payment_intent(last_payment_error=error))
    assert (snapshot.decline_code, snapshot.decline_message) == (code, "No.")


def test_the_client_secret_is_not_shown_in_a_repr() -> None:
    assert "secret_2" not in repr(payment_intent_snapshot(payment_intent()))


def test_unknown_fields_do_no_harm_and_webhook_bodies_read_the_same() -> None:
    fields = payment_intent(brand_new_field={"deep": [1]}, latest_charge=charge())
    assert payment_intent_snapshot(json.loads(json.dumps(fields))) == payment_intent_snapshot(fields)


def test_a_charge_is_read() -> None:
    snapshot = charge_snapshot(charge(amount_refunded=900, disputed=True))
    assert (snapshot.id, snapshot.payment_intent_id, snapshot.status) == ("ch_1", "pi_1", "succeeded")
    assert (snapshot.amount, snapshot.amount_captured, snapshot.amount_refunded) == (4900, 4900, 900)
    assert (snapshot.currency, snapshot.disputed, snapshot.operation) == ("gbp", True, "pay_1/create/1")
    assert snapshot.created == datetime(2026, 1, 1, tzinfo=UTC)
    assert snapshot.decline_code is None


def test_a_failed_charge_names_its_decline_and_a_risky_success_does_not() -> None:
    outcome = {"reason": "insufficient_funds"}
    failed = charge(status="failed", failure_code="card_declined", outcome=outcome)
    assert charge_snapshot(failed).decline_code == "insufficient_funds"
    assert charge_snapshot(failed | {"outcome": None}).decline_code == "card_declined"
    assert charge_snapshot(charge(outcome={"reason": "elevated_risk_level"})).decline_code is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"id": 5},
        {"object": "charge"},
        {"status": None},
        {"amount": None},
        {"amount": "4900"},
        {"amount": True},
        {"amount": 49.0},
        {"amount_received": "0"},
        {"currency": None},
        {"client_secret": 5},
        {"customer": 5},
        {"customer": {"id": 5}},
        {"latest_charge": 5},
        {"latest_charge": {"id": "ch_1", "amount_refunded": "1"}},
        {"latest_charge": {"id": "ch_1", "disputed": "yes"}},
        {"last_payment_error": "declined"},
        {"metadata": []},
        {"metadata": "x"},
        {"metadata": {"tollgate_operation": 5}},
        {"created": None},
        {"created": 10**20},
    ],
)
def test_a_field_of_the_wrong_type_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match="Stripe's"):
        payment_intent_snapshot(payment_intent(**change))


@pytest.mark.parametrize("thing", [None, [], "pi_1", 5, {}, {"object": ["payment_intent"]}])
def test_what_is_no_object_of_stripes_is_refused(thing: Any) -> None:
    with pytest.raises(ContractError, match="expected Stripe's payment_intent"):
        payment_intent_snapshot(thing)
    with pytest.raises(ContractError, match="expected Stripe's charge"):
        charge_snapshot(thing)


def test_a_held_charge_tells_until_when_its_bank_holds_the_amount() -> None:
    details = {"type": "card", "card": {"capture_before": NEW_YEAR + 60}}
    held = charge(captured=False, amount_captured=0, payment_method_details=details)
    until = datetime.fromtimestamp(NEW_YEAR + 60, UTC)
    assert (charge_snapshot(held).held, charge_snapshot(held).capture_before) == (True, until)
    assert payment_intent_snapshot(payment_intent(latest_charge=held)).capture_before == until
    assert not charge_snapshot(held | {"captured": True}).held
    assert not charge_snapshot(held | {"refunded": True}).held


def test_description_and_metadata_are_read_and_never_shown() -> None:
    snapshot = payment_intent_snapshot(payment_intent(description="For Jane", metadata={"a": "Doe"}))
    assert (snapshot.description, snapshot.metadata) == ("For Jane", {"a": "Doe"})
    assert "Jane" not in repr(snapshot)
    assert "Doe" not in repr(snapshot)


def test_saved_cards_are_read_with_their_expiry() -> None:
    card = {"id": "pm_1", "object": "payment_method", "created": NEW_YEAR, "card": {"exp_month": 3, "exp_year": 2030}}
    [found] = saved_card_snapshots(listed(card))
    assert (found.id, found.expires) == ("pm_1", (2030, 3))
    for wrong in ({"data": None}, listed({"object": "source"}), listed(card | {"card": {}})):
        with pytest.raises(ContractError):
            saved_card_snapshots(wrong)
