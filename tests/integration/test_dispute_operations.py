"""What operators decide about disputes, at the simulator: done once, whatever is lost, and never against what it is."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pytest

from tasks.contracts.disputes import AcceptDispute, SubmitDispute
from tests.builders.dispute_stage import Disputed, close, decided, disputed, hear_of, row_of
from tests.builders.house import House
from tests.builders.simulator import Simulator
from workers.runtime import Runtime

pytestmark = pytest.mark.servers
EVIDENCE = {"service_date": "2026-03-12", "uncategorized_text": "They took part on both days."}
UPDATES = {"method": "POST", "path": "^/v1/disputes/[^/]*$"}
CLOSES = {"method": "POST", "path": "^/v1/disputes/[^/]*/close$"}


@pytest.fixture
def shop(shared_shop: House) -> House:
    """One house for all tests here, which look at payments of their own alone."""
    return shared_shop


@pytest.fixture
def found(shop: House, stripe: Simulator) -> Disputed:
    return disputed(shop, stripe)


def there(stripe: Simulator, found: Disputed) -> Any:
    return stripe.client.v1.disputes.retrieve(found.at_stripe)


def refusal(shop: House, job_id: str) -> str:
    row = shop.job(job_id)
    assert row["state"] == "refused", row["last_error"]
    return str(row["problem"]["code"])


def test_evidence_is_sent_as_the_operator_has_seen_it_and_puts_the_dispute_under_review(
    shop: House, stripe: Simulator, found: Disputed
) -> None:
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    assert shop.decide(job).state == "done"
    at_stripe = there(stripe, found)
    assert {name: at_stripe.evidence.to_dict()[name] for name in EVIDENCE} == EVIDENCE
    assert (at_stripe.status, at_stripe.evidence_details.submission_count) == ("under_review", 1)
    row = row_of(shop, found)
    assert (row["status"], row["submissions"], row["has_evidence"]) == ("under_review", 1, True)


def test_magic_evidence_wins_and_the_money_comes_back(shop: House, stripe: Simulator, found: Disputed) -> None:
    job = decided(shop, SubmitDispute, found, evidence={"uncategorized_text": "winning_evidence"})
    assert shop.decide(job).state == "done"
    hear_of(shop, stripe, found)
    assert (row_of(shop, found)["status"], shop.payment(found.payment)["status"]) == ("won", "paid")


@pytest.mark.parametrize("fault", [{"do": "drop"}, {"do": "status", "effect": True}], ids=["lost", "500"])
def test_when_the_answer_is_lost_it_is_looked_for_and_not_sent_again(
    shop: House, stripe: Simulator, found: Disputed, fault: dict[str, Any]
) -> None:
    stripe.faults({**fault, "match": UPDATES})
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    assert shop.decide(job).state == "checking"
    stripe.control("DELETE", "faults")
    assert shop.decide(job).state == "done"
    assert there(stripe, found).evidence_details.submission_count == 1
    assert row_of(shop, found)["status"] == "under_review"


def test_what_never_came_to_stripe_is_sent_under_the_same_key(shop: House, stripe: Simulator, found: Disputed) -> None:
    stripe.faults({"do": "refuse", "match": UPDATES})
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    shop.decide(job)
    stripe.control("DELETE", "faults")
    assert shop.decide(job).state == "done"
    assert there(stripe, found).evidence_details.submission_count == 1


def test_a_bank_takes_evidence_once(shop: House, stripe: Simulator, found: Disputed) -> None:
    shop.decide(decided(shop, SubmitDispute, found, evidence=EVIDENCE))
    again = decided(shop, SubmitDispute, found, evidence={"service_date": "2026-03-13"})
    shop.decide(again)
    assert refusal(shop, again) == "dispute_answered"
    assert there(stripe, found).evidence.service_date == "2026-03-12"


def test_what_the_office_has_answered_unheard_is_refused_as_answered_and_learnt_of(
    shop: House, stripe: Simulator, found: Disputed
) -> None:
    """The operator must know that the bank has not got what they have read."""
    stripe.client.v1.disputes.update(found.at_stripe, {"evidence": {"service_date": "2026-03-11"}, "submit": True})
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    shop.decide(job)
    assert (refusal(shop, job), row_of(shop, found)["status"]) == ("dispute_answered", "under_review")
    assert there(stripe, found).evidence.service_date == "2026-03-11"


@pytest.fixture
def escalated(shop: House, stripe: Simulator) -> Disputed:
    """An inquiry that was answered, and has become a chargeback all the same: the bank wants an answer to that."""
    begun = disputed(shop, stripe, inquiry=True)
    assert shop.decide(decided(shop, SubmitDispute, begun, evidence=EVIDENCE)).state == "done"
    stripe.control("POST", "disputes/escalate", {"dispute": begun.at_stripe})
    hear_of(shop, stripe, begun)
    row = row_of(shop, begun)
    assert (row["status"], row["submissions"]) == ("needs_response", 1)
    return begun


def test_an_escalated_inquiry_that_was_answered_takes_an_answer_again(
    shop: House, stripe: Simulator, escalated: Disputed
) -> None:
    job = decided(shop, SubmitDispute, escalated, evidence=EVIDENCE, submissions=1)
    assert shop.decide(job).state == "done"
    at_stripe = there(stripe, escalated)
    assert (at_stripe.status, at_stripe.evidence_details.submission_count) == ("under_review", 2)
    assert row_of(shop, escalated)["status"] == "under_review"


@pytest.mark.parametrize("fault", [{"do": "drop", "effect": False}, {"do": "drop"}], ids=["never came", "answer lost"])
def test_an_answer_to_what_was_asked_before_is_not_taken_for_one_to_what_is_asked_now(
    shop: House, stripe: Simulator, escalated: Disputed, fault: dict[str, Any]
) -> None:
    job = decided(shop, SubmitDispute, escalated, evidence=EVIDENCE, submissions=1)
    stripe.faults({**fault, "match": UPDATES})
    assert shop.decide(job).state == "checking"
    stripe.control("DELETE", "faults")
    assert shop.decide(job).state == "done"
    assert there(stripe, escalated).evidence_details.submission_count == 2


def test_nothing_is_sent_once_the_bank_takes_no_answer(shop: House, stripe: Simulator, found: Disputed) -> None:
    shop.sql(
        "UPDATE disputes SET due_at = clock_timestamp() - interval '1 minute' WHERE stripe_id = :id", id=found.at_stripe
    )
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    shop.decide(job)
    assert refusal(shop, job) == "dispute_past_due"
    assert there(stripe, found).evidence_details.submission_count == 0
    assert shop.decide(decided(shop, AcceptDispute, found)).state == "done"


@pytest.mark.parametrize("effect", [True, False], ids=["answer lost", "never came"])
def test_what_may_be_on_its_way_as_the_day_ends_is_looked_for_before_it_is_refused(
    shop: House, stripe: Simulator, found: Disputed, *, effect: bool
) -> None:
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    stripe.faults({"do": "drop", "effect": effect, "match": UPDATES})
    assert shop.decide(job).state == "checking"
    stripe.control("DELETE", "faults")
    just_over, long_over = dt.timedelta(seconds=1), dt.timedelta(days=1)
    assert shop.decide(job, by_then(shop, found, just_over)).state == ("done" if effect else "checking")
    if not effect:
        shop.decide(job, by_then(shop, found, long_over))
        assert refusal(shop, job) == "dispute_past_due"
        assert there(stripe, found).evidence_details.submission_count == 0


def by_then(shop: House, found: Disputed, over_for: dt.timedelta) -> Runtime:
    """Return the runtime with a Stripe by whose word a dispute's day has been over for so long."""
    answer = shop.runtime.stripe.disputes.retrieve(found.at_stripe)
    value = dataclasses.replace(answer.value, due_at=answer.as_of - over_for)
    return shop.with_stripe(Past(shop.runtime.stripe, dataclasses.replace(answer, value=value)))


class Past:
    """Stripe's API, but for one dispute, of which it says what a test does."""

    def __init__(self, stripe: Any, answer: Any) -> None:
        self._stripe, self._answer = stripe, answer
        self.disputes = self

    def retrieve(self, _name: str) -> Any:
        return self._answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stripe, name)


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_closed_dispute_takes_neither_evidence_nor_surrender(
    shop: House, stripe: Simulator, found: Disputed, outcome: str
) -> None:
    close(shop, stripe, found, outcome)
    for kind, fields in ((SubmitDispute, {"evidence": EVIDENCE}), (AcceptDispute, {})):
        job = decided(shop, kind, found, **fields)
        shop.decide(job)
        assert refusal(shop, job) == "dispute_closed"


def test_a_dispute_that_is_closed_unheard_is_refused_as_closed_and_learnt_of(
    shop: House, stripe: Simulator, found: Disputed
) -> None:
    stripe.control("POST", "disputes/close", {"dispute": found.at_stripe, "outcome": "won"})
    job = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    shop.decide(job)
    assert (refusal(shop, job), row_of(shop, found)["status"]) == ("dispute_closed", "won")


@pytest.mark.parametrize(("inquiry", "status"), [(False, "lost"), (True, "warning_closed")])
def test_giving_in_loses_a_chargeback_and_closes_an_inquiry(
    shop: House, stripe: Simulator, status: str, *, inquiry: bool
) -> None:
    found = disputed(shop, stripe, inquiry=inquiry)
    assert shop.decide(decided(shop, AcceptDispute, found)).state == "done"
    assert (there(stripe, found).status, row_of(shop, found)["status"]) == (status, status)


def test_giving_in_whose_answer_is_lost_is_found(shop: House, stripe: Simulator, found: Disputed) -> None:
    stripe.faults({"do": "drop", "match": CLOSES})
    job = decided(shop, AcceptDispute, found)
    assert shop.decide(job).state == "checking"
    stripe.control("DELETE", "faults")
    assert shop.decide(job).state == "done"
    assert row_of(shop, found)["status"] == "lost"


def test_a_dispute_that_a_restored_database_has_not_learnt_of_is_waited_for(shop: House, found: Disputed) -> None:
    job = decided(shop, AcceptDispute, found)
    shop.sql("UPDATE disputes SET id = id || 'x' WHERE stripe_id = :id", id=found.at_stripe)
    assert shop.decide(job).state == "waiting"
    shop.sql("UPDATE disputes SET id = left(id, -1) WHERE stripe_id = :id", id=found.at_stripe)
    assert shop.decide(job).state == "done"


def test_a_dispute_that_there_is_not_is_refused_in_the_end(shop: House, found: Disputed) -> None:
    job = decided(shop, AcceptDispute, found)
    shop.sql("UPDATE disputes SET id = id || 'x' WHERE stripe_id = :id", id=found.at_stripe)
    for _ in range(8):
        shop.decide(job)
    assert refusal(shop, job) == "dispute_unknown"


def test_a_decision_waits_for_the_one_before_it_so_that_each_knows_what_has_arrived(
    shop: House, stripe: Simulator, found: Disputed
) -> None:
    stripe.faults({"do": "drop", "match": UPDATES})
    first = decided(shop, SubmitDispute, found, evidence=EVIDENCE)
    second = decided(shop, SubmitDispute, found, evidence={"service_date": "2026-03-13"})
    assert shop.decide(first).state == "checking"
    stripe.control("DELETE", "faults")
    assert shop.decide(second).state == "waiting"
    assert shop.decide(first).state == "done"
    shop.decide(second)
    assert refusal(shop, second) == "dispute_answered"
    assert there(stripe, found).evidence.service_date == EVIDENCE["service_date"]
