"""Captures, cancellations and updates at the door: accepted, kept, and answered with the payment as it is shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.views import JobView
from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
STRANGE = "pay_" + "a" * 26


@pytest.mark.parametrize(
    ("verb", "document", "contract"),
    [
        ("capture", {}, lambda name: CapturePayment(name, None)),
        ("capture", {"amount": 1200}, lambda name: CapturePayment(name, 1200)),
        ("cancel", {}, lambda name: CancelPayment(name, None)),
        ("cancel", {"reason": "abandoned"}, lambda name: CancelPayment(name, "abandoned")),
        ("update", {"amount": 3000}, lambda name: UpdatePayment(name, 3000, None, {})),
        (
            "update",
            {"description": "Two places", "metadata": {"seats": "2", "course": ""}},
            lambda name: UpdatePayment(name, None, "Two places", {"seats": "2", "course": ""}),
        ),
    ],
)
def test_an_operation_is_accepted_with_what_it_asks_for(
    site: Site, posted: str, verb: str, document: dict[str, Any], contract: Any
) -> None:
    answer = site.operate(posted, verb, document)
    assert answer.status_code == 202
    assert answer.json is not None
    job, payment = answer.json["job"], answer.json["payment"]
    assert (job["kind"], job["status"], job["payment"]) == (f"payments.{verb}", "accepted", posted)
    assert (payment["id"], payment["status"], payment["amount"]) == (posted, "processing", 4950)
    entry = site.journal()[-1]
    assert (entry.kind, entry.subject_id, entry.job_id) == (f"payments.{verb}", posted, job["id"])
    wanted = dataclasses.replace(contract(posted), shown=True)
    assert type(wanted).from_bytes(site.opened(entry)) == wanted


@pytest.mark.parametrize(
    ("verb", "document", "field", "code"),
    [
        ("capture", {"amount": 0}, "/amount", "amount_too_small"),
        ("capture", {"amount": True}, "/amount", "not_an_integer"),
        ("capture", {"amount": 100_000_000}, "/amount", "amount_too_large"),
        ("capture", {"all": True}, "/all", "unknown_field"),
        ("cancel", {"reason": "whim"}, "/reason", "reason_unknown"),
        ("update", {}, "", "nothing_asked"),
        ("update", {"amount": None}, "/amount", "null"),
        ("update", {"description": ""}, "/description", "too_short"),
        ("update", {"metadata": {"tollgate_operation": "x"}}, "/metadata/tollgate_operation", "reserved"),
        ("update", {"currency": "eur"}, "/currency", "unknown_field"),
    ],
)
def test_a_wrong_field_is_refused_by_name(
    site: Site, posted: str, verb: str, document: dict[str, Any], field: str, code: str
) -> None:
    answer = site.operate(posted, verb, document)
    assert answer.status_code == 422
    assert answer.json is not None
    assert [(error["field"], error["code"]) for error in answer.json["errors"]] == [(field, code)]


def test_a_repeat_is_the_same_job_and_another_body_is_refused(site: Site, posted: str) -> None:
    first, again = (
        site.operate(posted, "capture", {"amount": 100}),
        site.operate(posted, "capture", {"amount": 100}),
    )
    assert first.json is not None
    assert again.json is not None
    assert first.json["job"]["id"] == again.json["job"]["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert site.operate(posted, "capture", {"amount": 101}).status_code == 422


def test_a_key_holds_for_one_operation_on_one_payment(site: Site, posted: str) -> None:
    answers = [site.operate(posted, verb) for verb in ("capture", "cancel")] + [site.operate(STRANGE, "capture")]
    ids = {answer.json["job"]["id"] for answer in answers if answer.json is not None}
    assert (len(ids), {answer.status_code for answer in answers}) == (3, {202})


def test_of_a_payment_that_is_not_shown_or_anothers_nothing_is_told(site: Site, posted: str) -> None:
    strange = site.operate(STRANGE, "cancel")
    other = site.new_key("other")
    anothers = site.operate(posted, "cancel", headers=site.headers("k1", other))
    for answer in (strange, anothers):
        assert answer.status_code == 202
        assert answer.json is not None
        assert answer.json["payment"] is None
        assert not CancelPayment.from_bytes(site.opened(site.journal()[-1])).shown


def test_what_is_no_payments_id_is_not_found_and_asks_for_a_key_all_the_same(site: Site) -> None:
    assert site.operate("pay_1", "capture").status_code == 404
    assert site.operate("pay_1", "capture", headers={"Authorization": "Bearer x"}).status_code == 401


def test_with_its_outcome_it_is_answered_at_once(site: Site, posted: str) -> None:
    first = site.operate(posted, "cancel")
    assert first.json is not None
    job_id, key = first.json["job"]["id"], site.keyspace.view(first.json["job"]["id"])
    problem = {"code": "payment_already_paid", "detail": "x"}
    view = JobView(job_id, "site", "payments.cancel", "refused", posted, 1, problem, "a", "b")
    sealed = view.seal(site.settings.view_keys, key, 1, 5)
    site.redis.hset(key, mapping={"e": 1, "v": 5, "d": sealed})
    again = site.operate(posted, "cancel", headers={"Prefer": "wait=5"})
    assert again.status_code == 200
    assert again.json is not None
    assert (again.json["job"]["status"], again.json["job"]["problem"]) == ("refused", problem)
