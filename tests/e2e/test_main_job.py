"""The main job, through real processes: from the website's post to paid."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from sandbox.system import KEYSPACE
from tests.e2e.conftest import Website

pytestmark = [pytest.mark.owns_servers, pytest.mark.stripe, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]


def test_a_payment_goes_from_the_post_to_paid(website: Website) -> None:
    answer = website.post()
    assert answer.status == 200, answer
    assert answer.headers["preference-applied"] == "wait=10"
    assert answer.body["job"]["status"] == "done"
    payment = answer.body["payment"]
    assert payment["status"] == "requires_confirmation"
    assert payment["client_secret"].startswith(payment["stripe_payment_intent"])
    assert website.stripe.pay(payment, "good") == "succeeded"
    paid = website.until(payment["id"], "paid")
    assert (paid["amount_received"], paid["client_secret"], paid["decline"]) == (12_500, None, None)


def test_a_declined_card_is_told_in_words_and_another_card_pays(website: Website) -> None:
    payment = website.ready_payment()
    assert website.stripe.pay(payment, "no_funds") == "requires_payment_method"
    declined = website.until(payment["id"], "declined")
    assert declined["decline"] == {
        "code": "insufficient_funds",
        "message": "Your card has insufficient funds. Please try another card.",
    }
    assert website.stripe.pay(declined, "good") == "succeeded"
    assert website.until(payment["id"], "paid")["decline"] is None


def test_a_bank_that_asks_the_shopper_reads_as_requires_action(website: Website) -> None:
    payment = website.ready_payment()
    assert website.stripe.pay(payment, "secure") == "requires_action"
    assert website.until(payment["id"], "requires_action")["client_secret"] is not None


def test_a_payment_that_the_office_cancels_at_stripe_reads_as_canceled(website: Website) -> None:
    payment = website.ready_payment()
    website.stripe.cancel(payment)
    website.until(payment["id"], "canceled")


def test_the_same_post_five_times_at_once_is_one_payment(website: Website) -> None:
    body = website.booking()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: website.post(body), range(5)))
    assert {answer.status for answer in answers} <= {200, 202}
    assert len({(answer.body["job"]["id"], answer.body["payment"]["id"]) for answer in answers}) == 1
    payment = website.until(answers[0].body["payment"]["id"], "requires_confirmation")
    assert website.stripe.pay(payment, "good") == "succeeded"
    website.until(payment["id"], "paid")


def test_the_same_key_with_another_body_is_refused(website: Website) -> None:
    body = website.booking()
    assert website.post(body).status == 200
    answer = website.post({**body, "amount": 99_900})
    assert (answer.status, answer.body["code"]) == (422, "idempotency_key_reused")


def test_what_redis_has_lost_is_fetched_by_a_worker_while_the_website_waits(website: Website) -> None:
    payment = website.ready_payment()
    api, patient = website.system.api, {"Prefer": "wait=10"}
    booking = payment["booking_reference"]
    with redis.Redis.from_url(website.system.addresses.redis_url) as client:
        lists = list(client.scan_iter(match=KEYSPACE.view("lst_*")))
        assert client.delete(KEYSPACE.view(payment["id"]), *lists) == 1 + len(lists)
    read = api.ask("GET", f"/v1/payments/{payment['id']}", patient)
    assert (read.status, read.body["amount"]) == (200, 12_500)
    listed = api.ask("GET", f"/v1/payments?booking_reference={booking}", patient)
    assert [each["id"] for each in listed.body["data"]] == [payment["id"]]
    assert api.ask("GET", "/v1/payments/pay_" + "a" * 26, patient).status == 404
