"""Accepting on a real Redis: kept once, whatever the client repeats."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tasks.contracts.payments import CreatePayment
from tasks.contracts.views import JobView, PaymentView
from tests.builders.ingress import VIEWS, Site, body

pytestmark = pytest.mark.servers
AT_ONCE = 50


def test_a_payment_intent_is_accepted_sealed_signed_and_shown(site: Site) -> None:
    answer = site.post(headers={"X-Request-Id": "shop-1"})
    assert answer.status_code == 202
    job, payment = answer.json["job"], answer.json["payment"]
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (job["status"], payment["status"], payment["amount"]) == ("accepted", "processing", 4950)
    (entry,) = site.journal()
    contract = CreatePayment.from_bytes(site.opened(entry))
    assert (entry.job_id, entry.subject_id, entry.client_id) == (job["id"], payment["id"], "site")
    assert (entry.kind, entry.route, entry.request_id) == ("payments.create", "payment-intents", "shop-1")
    assert (contract.payment_id, contract.customer_email) == (payment["id"], "ada@example.org")
    assert site.get(job["links"]["self"]).json == job
    assert site.get(payment["links"]["self"]).json == payment


@pytest.mark.parametrize("asked", ["4242424242424242", "shop-4242-4242.4242_4242"])
def test_a_request_id_that_holds_a_card_number_is_replaced_by_one_of_ours(site: Site, asked: str) -> None:
    answer = site.post(headers={"X-Request-Id": asked})
    (entry,) = site.journal()
    assert answer.headers["X-Request-Id"] == entry.request_id
    assert entry.request_id.startswith("req_")
    assert "4242" not in str(answer.headers)


def test_nothing_personal_can_be_read_in_redis(site: Site) -> None:
    site.post(key="my-very-own-key")
    held = repr([site.redis.dump(key) for key in site.redis.scan_iter(f"{site.keyspace.prefix}*")])
    held += repr(site.redis.xrange(site.keyspace.journal))
    for secret in ("Ada", "ada@example", "BK-2026", "203.0.113.7", "Mozilla", "my-very-own-key", site.token.text):
        assert secret not in held


def test_a_repeat_gets_the_same_answer_and_adds_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = site.post()
    again = site.post(dict(reversed(body().items())))
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    lines = [record.__dict__ for record in caplog.records if "payment_id" in record.__dict__]
    assert [line["replayed"] for line in lines] == [False, True]
    assert {line["job_id"] for line in lines} == {first.json["job"]["id"]}
    assert {line["payment_id"] for line in lines} == {first.json["payment"]["id"]}
    assert (again.status_code, again.json) == (first.status_code, first.json)
    assert len(site.journal()) == 1


def test_a_quoted_key_is_the_same_key(site: Site) -> None:
    assert site.post(key="k").json == site.post(key='"k"').json


def test_the_same_key_with_another_body_is_refused(site: Site) -> None:
    site.post()
    answer = site.post(body(amount=5000))
    assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused")
    assert len(site.journal()) == 1


def test_a_key_belongs_to_one_client(site: Site) -> None:
    other = site.new_key("other")
    mine, theirs = site.post(), site.post(headers={"Authorization": f"Bearer {other.text}"})
    assert mine.json["payment"]["id"] != theirs.json["payment"]["id"]
    for link in (mine.json["job"]["links"]["self"], mine.json["payment"]["links"]["self"]):
        nothing = link[:-26] + "a" * 26
        site.say_absent(nothing.rpartition("/")[2])
        foreign, missing = site.get(link, other), site.get(nothing, other)
        assert foreign.status_code == missing.status_code == 404
        assert {**foreign.json, "instance": "", "request_id": ""} == {**missing.json, "instance": "", "request_id": ""}


def test_fifty_at_once_make_one_job(site: Site) -> None:
    start, answers = threading.Barrier(AT_ONCE), []

    def post() -> None:
        start.wait()
        answers.append(site.post(key="together"))

    threads = [threading.Thread(target=post) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["job"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert len(site.journal()) == 1


def test_after_redis_forgot_a_repost_is_the_same_job_and_payment(site: Site) -> None:
    before = site.post().json
    for key in site.redis.scan_iter(f"{site.keyspace.prefix}idem:*"):
        site.redis.delete(key)
    after = site.post().json
    assert after == before
    assert len({entry.job_id for entry in site.journal()}) == 1


def test_a_newer_view_is_never_overwritten(site: Site) -> None:
    first = site.post().json
    project(site, first, "done", "paid")
    for key in site.redis.scan_iter(f"{site.keyspace.prefix}idem:*"):
        site.redis.delete(key)
    again = site.post()
    assert (again.status_code, again.json["payment"]["status"]) == (200, "paid")


def test_too_many_requests_wait_for_the_next_token(site: Site) -> None:
    token = site.new_key("busy", rate=0.5, burst=2)
    auth = {"Authorization": f"Bearer {token.text}"}
    codes = [site.post(key=f"k{i}", headers=auth).status_code for i in range(3)]
    assert codes == [202, 202, 429]
    answer = site.post(key="k0", headers=auth)
    assert (answer.status_code, answer.json["code"]) == (429, "rate_limited")
    assert 1 <= int(answer.headers["Retry-After"]) <= 2
    assert len(site.journal()) == 2
    assert site.post(key="other client").status_code == 202


def test_everything_written_expires_but_the_journal(site: Site) -> None:
    site.post()
    lasting = {key for key in site.redis.scan_iter(f"{site.keyspace.prefix}*") if site.redis.ttl(key) == -1}
    names = {key.decode().removeprefix(site.keyspace.prefix).partition(":")[0] for key in lasting}
    assert names == {"journal", "apikey", "epoch"}


def test_a_script_that_fails_before_the_journal_entry_promises_nothing(site: Site) -> None:
    site.redis.set(site.keyspace.journal, "not a stream")
    answer = site.post()
    assert (answer.status_code, answer.json["code"]) == (503, "acceptance_unknown")
    assert not list(site.redis.scan_iter(f"{site.keyspace.prefix}idem:*"))
    assert not list(site.redis.scan_iter(f"{site.keyspace.prefix}view:*"))
    site.redis.delete(site.keyspace.journal)
    assert site.post().status_code == 202


def test_a_script_that_fails_behind_the_journal_entry_is_made_good_by_a_repeat(site: Site) -> None:
    first = site.post(key="k").json
    for key in site.redis.scan_iter(f"{site.keyspace.prefix}idem:*"):
        site.redis.delete(key)
    view = site.keyspace.view(first["job"]["id"])
    site.redis.delete(view)
    site.redis.set(view, "not a hash")
    broken = site.post(key="k")
    assert (broken.status_code, broken.json["code"]) == (503, "acceptance_unknown")
    assert not list(site.redis.scan_iter(f"{site.keyspace.prefix}idem:*"))
    site.redis.delete(view)
    assert site.post(key="k").json["job"]["id"] == first["job"]["id"]


def test_a_flushed_script_is_loaded_again(site: Site) -> None:
    site.post(key="a")
    site.redis.script_flush()
    assert site.post(key="b").status_code == 202


def test_an_unchanged_view_is_not_sent_again(site: Site) -> None:
    link = site.post().json["payment"]["links"]["self"]
    tag = site.get(link).headers["ETag"]
    answer = site.client().get(link, headers=site.headers() | {"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


def project(site: Site, answer: dict[str, Any], state: str, status: str, version: int = 1) -> None:
    """Write newer views as the workers do."""
    job_id, payment_id = answer["job"]["id"], answer["payment"]["id"]
    job_key, payment_key = site.keyspace.view(job_id), site.keyspace.view(payment_id)
    job = JobView(job_id, "site", "payments.create", state, payment_id, 1, None, "a", "b")
    payment = PaymentView(
        payment_id, "site", job_id, status, 4950, 4950, 0, "gbp", "BK", "pi_1", "pi_1_secret_2", None, "a", "b"
    )
    for key, view in ((job_key, job), (payment_key, payment)):
        sealed = view.seal(VIEWS, key, 1, version)
        site.redis.hset(key, mapping={"e": 1, "v": version, "d": sealed})


def test_a_view_that_cannot_be_opened_is_no_internal_error(site: Site) -> None:
    answer = site.post().json
    site.redis.hset(site.keyspace.view(answer["payment"]["id"]), "d", b"forged")
    read = site.get(answer["payment"]["links"]["self"])
    assert (read.status_code, read.json["code"]) == (503, "view_unavailable")
    assert json.loads(read.data)["request_id"] == read.headers["X-Request-Id"]
    assert site.post().status_code == 202
