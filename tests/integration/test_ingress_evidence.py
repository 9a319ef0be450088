"""Evidence at the door: accepted and kept whole, sealed, and refused by name where it is not acceptable."""

from __future__ import annotations

import json
from typing import Any

import pytest

from config.evidence import MOST_TEXT
from ingress.json_body import MAXIMUM_BYTES
from tasks.contracts.evidence import KeepEvidence
from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
STRANGE = "pay_" + "a" * 26
LOG = {"access_activity_log": "2026-03-12 09:02 Ada-Canary signed in\n2026-03-12 16:55 passed the test"}


def kept(site: Site) -> KeepEvidence:
    """Return the job that was accepted last."""
    return KeepEvidence.from_bytes(site.opened(site.journal()[-1]))


def test_it_is_accepted_with_its_texts_to_the_letter(site: Site, posted: str) -> None:
    document = LOG | {"service_date": "2026-03-12", "uncategorized_text": "A\tnote of course Zürich: 30 %"}
    answer = site.operate(posted, "evidence", document)
    assert answer.status_code == 202
    assert answer.json is not None
    job = answer.json["job"]
    assert (job["kind"], job["status"], job["payment"]) == ("payments.keep_evidence", "accepted", posted)
    assert answer.json["payment"]["id"] == posted
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    entry = site.journal()[-1]
    assert (entry.kind, entry.subject_id, entry.job_id) == ("payments.keep_evidence", posted, job["id"])
    assert kept(site) == KeepEvidence(posted, document, shown=True)


def test_nothing_of_it_is_readable_in_redis_or_in_the_answer(site: Site, posted: str) -> None:
    answer = site.operate(posted, "evidence", LOG)
    assert "Ada-Canary" not in answer.text
    for key in site.redis.scan_iter(f"{site.keyspace.prefix}*"):
        assert b"Ada-Canary" not in (site.redis.dump(key) or b"")


def test_a_repeat_is_the_same_job_and_another_body_is_refused(site: Site, posted: str) -> None:
    first, again = site.operate(posted, "evidence", LOG), site.operate(posted, "evidence", LOG)
    assert first.json is not None
    assert again.json is not None
    assert first.json["job"]["id"] == again.json["job"]["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len([entry for entry in site.journal() if entry.kind == "payments.keep_evidence"]) == 1
    other = site.operate(posted, "evidence", {"service_date": "2026-03-12"})
    assert other.status_code == 422
    assert other.json is not None
    assert other.json["code"] == "idempotency_key_reused"


def test_of_a_payment_that_is_not_shown_or_anothers_nothing_is_told(site: Site, posted: str) -> None:
    strange = site.operate(STRANGE, "evidence", LOG)
    anothers = site.operate(posted, "evidence", LOG, headers=site.headers("k1", site.new_key("other")))
    for answer in (strange, anothers):
        assert answer.status_code == 202
        assert answer.json is not None
        assert answer.json["payment"] is None
        assert not kept(site).shown


def test_what_is_no_payments_id_is_not_found_and_asks_for_a_key_all_the_same(site: Site) -> None:
    assert site.operate("pay_1", "evidence", LOG).status_code == 404
    assert site.operate("pay_1", "evidence", LOG, headers={"Authorization": "Bearer x"}).status_code == 401


@pytest.mark.parametrize(
    ("document", "status", "code", "field"),
    [
        ({}, 422, "validation_failed", ""),
        ({"customer_signature": "file_1"}, 422, "validation_failed", "/customer_signature"),
        ({"uncategorized_text": "x" * (MOST_TEXT + 1)}, 422, "validation_failed", "/uncategorized_text"),
        ({"uncategorized_text": "paid by 4242\n4242 4242 4242"}, 422, "card_number_refused", "/uncategorized_text"),
        ({"uncategorized_text": "\x1b[31m"}, 400, "malformed_body", "/uncategorized_text"),
        ({"uncategorized_text": "a\r\nb"}, 400, "malformed_body", "/uncategorized_text"),
        ({"customer_name": "Ada\nLovelace"}, 422, "validation_failed", "/customer_name"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_acceptable_is_refused_by_name(
    site: Site, posted: str, document: dict[str, Any], status: int, code: str, field: str
) -> None:
    answer = site.operate(posted, "evidence", document)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert field in [error["field"] for error in answer.json["errors"]]
    assert [entry.kind for entry in site.journal()] == ["payments.create"]


def test_three_of_the_longest_texts_fit_into_one_body_and_a_fourth_does_not(site: Site, posted: str) -> None:
    fields = ("access_activity_log", "uncategorized_text", "product_description", "billing_address")
    document = dict.fromkeys(fields, "x" * MOST_TEXT)
    assert len(json.dumps(document)) > MAXIMUM_BYTES
    too_large = site.operate(posted, "evidence", document, key="four")
    assert too_large.status_code == 413
    assert too_large.json is not None
    assert too_large.json["code"] == "body_too_large"
    assert site.operate(posted, "evidence", {field: document[field] for field in fields[:3]}).status_code == 202
