"""Refunds at the door: kept once for each payment and key, whatever the payment is."""

from __future__ import annotations

import pytest

from tasks.contracts.refunds import CreateRefund
from tasks.contracts.views import JobView, RefundView
from tests.builders.ingress import VIEWS, Site

pytestmark = pytest.mark.servers
PAYMENT = "pay_" + "a" * 26
ANOTHER = "pay_" + "b" * 26


def test_a_refund_is_accepted_sealed_and_shown(site: Site) -> None:
    answer = site.refund(PAYMENT, {"amount": 1500, "reason": "duplicate", "metadata": {"ticket": "T-1"}})
    assert answer.status_code == 202
    job, refund = answer.json["job"], answer.json["refund"]
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["kind"], job["refund"], job["payment"]) == ("refunds.create", refund["id"], None)
    assert (refund["status"], refund["amount"], refund["currency"]) == ("processing", 1500, None)
    (entry,) = site.journal()
    assert entry.subject_id == refund["id"]
    contract = CreateRefund.from_bytes(site.opened(entry))
    assert contract == CreateRefund(refund["id"], PAYMENT, 1500, "duplicate", {"ticket": "T-1"})
    assert site.get(refund["links"]["self"]).json == refund
    assert site.get(job["links"]["refund"]).json == refund
    assert refund["links"]["payment"] == f"/v1/payments/{PAYMENT}"


def test_what_the_client_could_read_of_the_payment_goes_with_it(site: Site) -> None:
    name = site.post().json["payment"]["id"]
    site.refund(name)
    site.refund(name, headers={"Authorization": f"Bearer {site.new_key('stranger').text}"})
    contracts = [CreateRefund.from_bytes(site.opened(entry)) for entry in site.journal()[1:]]
    assert [contract.shown for contract in contracts] == ["processing", None]


def test_all_that_is_left_has_no_amount_yet(site: Site) -> None:
    assert site.refund(PAYMENT).json["refund"]["amount"] is None


def test_a_key_holds_for_one_payment(site: Site) -> None:
    first, again, other = site.refund(PAYMENT), site.refund(PAYMENT), site.refund(ANOTHER, {"amount": 5})
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json
    assert other.status_code == 202
    assert other.json["refund"]["id"] != first.json["refund"]["id"]
    assert len(site.journal()) == 2
    reused = site.refund(PAYMENT, {"amount": 5})
    assert (reused.status_code, reused.json["code"]) == (422, "idempotency_key_reused")


def test_a_payment_and_a_refund_may_have_the_same_key(site: Site) -> None:
    assert site.post(key="one").status_code == site.refund(PAYMENT, key="one").status_code == 202


def test_whose_payment_it_is_nobody_learns_at_the_door(site: Site) -> None:
    mine = site.post().json["payment"]["id"]
    stranger = {"Authorization": f"Bearer {site.new_key('stranger').text}"}
    answers = [site.refund(name, headers=stranger) for name in (mine, PAYMENT)]
    assert [answer.status_code for answer in answers] == [202, 202]
    for answer in answers:
        assert site.get(answer.json["refund"]["links"]["self"]).status_code == 404


@pytest.mark.parametrize("name", ["pay_short", "pay_" + "A" * 26, "job_" + "a" * 26])
def test_what_can_be_no_payment_is_not_found(site: Site, name: str) -> None:
    answer = site.refund(name)
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert site.journal() == []


def test_without_a_key_nothing_is_accepted(site: Site) -> None:
    assert site.refund(PAYMENT, key=None).json["code"] == "idempotency_key_missing"
    assert site.refund("pay_short", headers={"Authorization": "Bearer x"}).status_code == 401


def test_a_wait_ends_with_the_refusal_and_its_reason(site: Site) -> None:
    first = site.refund(PAYMENT).json
    problem = {"code": "payment_unknown", "detail": "There is no such payment."}
    refund_id, job_id = first["refund"]["id"], first["job"]["id"]
    views = (
        JobView(job_id, "site", "refunds.create", "refused", refund_id, 1, problem, "a", "b"),
        RefundView(refund_id, "site", PAYMENT, job_id, "refused", 0, None, None, None, None, "a", "b"),
    )
    for view in views:
        key = site.keyspace.view(view.id)
        site.redis.hset(key, mapping={"e": 1, "v": 1, "d": view.seal(VIEWS, key, 1, 1)})
    answer = site.refund(PAYMENT, headers={"Prefer": "wait=5"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=5")
    assert answer.json["job"]["problem"] == problem
    assert (answer.json["refund"]["status"], answer.json["refund"]["stripe_refund"]) == ("refused", None)
