"""`Prefer: wait`: the outcome as soon as it is there, and never longer than asked."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.builders.ingress import Site
from tests.integration.test_ingress_accept import project
from tests.polling import wait_until

pytestmark = pytest.mark.servers
WAIT = {"Prefer": "wait=10"}
SOON = 3.0  # seconds: far less than the wait, far more than the answer takes


class Waiting:
    """A request that waits in a thread of its own."""

    def __init__(self, request: Any) -> None:
        self.answer: TestResponse | None = None
        self._thread = threading.Thread(target=lambda: setattr(self, "answer", request()))
        self._thread.start()

    def result(self) -> TestResponse:
        self._thread.join(SOON)
        assert self.answer is not None, "the request was not woken"
        return self.answer


def wake(site: Site, job_id: str) -> None:
    site.redis.xadd(site.keyspace.waiters(job_id), {"v": 1})


def test_a_post_answers_with_the_outcome_when_it_comes(site: Site) -> None:
    first = site.post(key="k").json
    waiting = Waiting(lambda: site.post(key="k", headers=WAIT))
    wait_until(site.waiters, "the request waits")
    project(site, first, "done", "requires_confirmation")
    wake(site, first["job"]["id"])
    answer = waiting.result()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=10")
    assert answer.json["job"]["status"] == "done"
    assert answer.json["payment"]["client_secret"] == "pi_1_secret_2"


def test_an_outcome_from_before_the_wait_is_not_missed(site: Site) -> None:
    first = site.post(key="k").json
    wake(site, first["job"]["id"])
    project(site, first, "refused", "failed")
    started = time.monotonic()
    answer = site.post(key="k", headers=WAIT)
    assert (answer.status_code, answer.json["job"]["status"]) == (200, "refused")
    assert time.monotonic() - started < SOON


def test_checking_is_no_outcome_and_does_not_end_a_wait(site: Site) -> None:
    first = site.post(key="k").json
    project(site, first, "checking", "checking")
    repeated = site.post(key="k")
    assert (repeated.status_code, repeated.json["job"]["status"]) == (202, "checking")
    waiting = Waiting(lambda: site.post(key="k", headers=WAIT))
    wait_until(site.waiters, "the request waits")
    project(site, first, "done", "requires_confirmation", version=2)
    wake(site, first["job"]["id"])
    answer = waiting.result()
    assert (answer.status_code, answer.json["job"]["status"]) == (200, "done")


def test_news_that_is_no_outcome_does_not_end_it(site: Site) -> None:
    first = site.post(key="k").json
    job_id = first["job"]["id"]
    project(site, first, "running", "processing")
    wake(site, job_id)
    waiting = Waiting(lambda: site.post(key="k", headers=WAIT))
    wait_until(site.waiters, "the request waits again")
    assert waiting.answer is None
    project(site, first, "done", "paid", version=2)
    wake(site, job_id)
    assert waiting.result().json["payment"]["status"] == "paid"


def test_a_wait_ends_in_time_with_what_is_known(site: Site) -> None:
    started = time.monotonic()
    answer = site.post(headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert 0.9 < time.monotonic() - started < 1 + SOON


def test_beyond_the_seats_nobody_waits(redis_url: str, redis_prefix: str) -> None:
    site = Site(redis_url, redis_prefix, max_waiters=1)
    first = site.post(key="k").json
    waiting = Waiting(lambda: site.post(key="k", headers=WAIT))
    wait_until(site.waiters, "the one seat is taken")
    answer = site.post(key="other", headers=WAIT)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    project(site, first, "done", "paid")
    wake(site, first["job"]["id"])
    assert waiting.result().status_code == 200
    site.close()


def test_a_job_can_be_waited_for(site: Site) -> None:
    first = site.post(key="k").json
    link = first["job"]["links"]["self"]
    waiting = Waiting(lambda: site.get(link, Prefer="wait=10"))
    wait_until(site.waiters, "the request waits")
    project(site, first, "done", "paid")
    wake(site, first["job"]["id"])
    answer = waiting.result()
    assert (answer.json["status"], answer.headers["Preference-Applied"]) == ("done", "wait=10")
    assert answer.headers["ETag"] == 'W/"1-1"'
    again = site.get(link, Prefer="wait=10")
    assert again.headers["Preference-Applied"] == "wait=10"
