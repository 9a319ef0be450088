"""The watch over disputes: what a bank waits for is flagged, again as the day comes near, and cleared when answered."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from models.dispute import DISPUTE_MOVES, NEEDS_RESPONSE
from tasks.contracts.disputes import WatchDisputes
from tasks.contracts.steps import Step
from tests.builders.disputes import plant_dispute
from tests.builders.house import WATCH, House
from tests.builders.payments import plant_payment
from workers.jobs.follow_up import enqueue
from workers.jobs.run import run_job

pytestmark = pytest.mark.servers


def watch(house: House) -> None:
    names = {"client_id": "tollgate", "subject_id": "disputes", "slot": secrets.token_hex(4), "request_id": ""}
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        job_id = enqueue(session, house.runtime.settings, WatchDisputes(), **names)
    assert run_job(house.runtime, job_id, WATCH).state == "done"


def flags(house: House) -> dict[str, Any]:
    rows = house.sql("SELECT subject_id, details FROM flags WHERE kind = 'dispute_due' AND cleared_at IS NULL")
    return {row["subject_id"]: row["details"]["left"] for row in rows}


def disputed(house: House, status: str = "needs_response", **changes: Any) -> str:
    payment = plant_payment(house, "disputed" if status == "needs_response" else "paid")
    plant_dispute(house, payment, status, **changes)
    return payment


@pytest.mark.parametrize("status", ["needs_response", "warning_needs_response"])
@pytest.mark.parametrize(("days", "left"), [(7, "open"), (4.9, "5 days"), (1.9, "2 days"), (-0.1, "past due")], ids=str)
def test_what_a_bank_waits_for_is_flagged_with_the_time_that_is_left(
    house: House, status: str, days: float, left: str
) -> None:
    payment = disputed(house, status, due_days=days)
    watch(house)
    assert flags(house) == {payment: left}
    assert list(house.payment_view(payment).flags) == ["dispute_due"]


@pytest.mark.parametrize("status", sorted(set(DISPUTE_MOVES.states) - set(NEEDS_RESPONSE)))
def test_what_no_bank_waits_for_is_not_flagged(house: House, status: str) -> None:
    disputed(house, status)
    watch(house)
    assert flags(house) == {}


def test_what_was_put_aside_comes_up_again_as_its_day_comes_near(house: House) -> None:
    payment = disputed(house)
    watch(house)
    house.sql("UPDATE flags SET cleared_at = clock_timestamp(), cleared_by = 'operator'")
    watch(house)
    assert flags(house) == {}
    house.sql("UPDATE disputes SET due_at = clock_timestamp() + interval '1 day'")
    watch(house)
    assert flags(house) == {payment: "2 days"}


def test_what_is_answered_or_closed_is_cleared(house: House) -> None:
    answered, closed = disputed(house), disputed(house)
    watch(house)
    assert set(flags(house)) == {answered, closed}
    house.sql("UPDATE disputes SET status = 'under_review', submissions = 1 WHERE payment_id = :id", id=answered)
    house.sql("UPDATE disputes SET status = 'lost' WHERE payment_id = :id", id=closed)
    watch(house)
    assert flags(house) == {}


def test_an_escalated_inquiry_waits_for_an_answer_whatever_was_sent_before(house: House) -> None:
    payment = disputed(house, submissions=1)
    watch(house)
    assert flags(house) == {payment: "open"}


def test_of_two_disputes_of_a_payment_the_nearest_day_counts(house: House) -> None:
    payment = disputed(house)
    plant_dispute(house, payment, due_days=1)
    watch(house)
    assert flags(house) == {payment: "2 days"}
