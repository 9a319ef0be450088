"""Redis down, frozen, full or read-only: 503 with Retry-After within two seconds, under load too."""

from __future__ import annotations

import threading
import time

import pytest
from werkzeug.test import TestResponse

from ingress.app import create_app
from sandbox.servers import Valkey
from tests.builders.ingress import Site, ingress_settings
from tests.polling import wait_until

pytestmark = pytest.mark.owns_servers
PROMISED = 2.0  # seconds
CLIENTS = 64


def post_at_once(site: Site, clients: int) -> list[tuple[float, TestResponse]]:
    """Post from many threads at once; return each answer with the seconds it took."""
    start, answers = threading.Barrier(clients), []

    def post(number: int) -> None:
        start.wait()
        started = time.monotonic()
        answer = site.post(key=f"k{number}")
        answers.append((time.monotonic() - started, answer))

    threads = [threading.Thread(target=post, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_frozen_redis_is_a_503_within_two_seconds_for_everyone(owned_valkey: Valkey) -> None:
    site = Site(owned_valkey.url, "t:")
    assert {answer.status_code for _, answer in post_at_once(site, CLIENTS)} == {202}
    owned_valkey.freeze()
    for _ in range(2):  # at first every thread runs into the timeout, then the gate answers at once
        answers = post_at_once(site, CLIENTS)
        assert {answer.status_code for _, answer in answers} == {503}
        assert {answer.json["code"] for _, answer in answers} <= {"acceptance_unknown", "redis_unavailable"}
        assert {answer.headers["Retry-After"] for _, answer in answers} == {"1"}
        assert max(seconds for seconds, _ in answers) < PROMISED
    assert min(seconds for seconds, _ in answers) < 0.5
    owned_valkey.thaw()
    wait_until(lambda: site.post(key="after").status_code == 202, "accepting again", 5)
    site.close()


def test_what_was_sent_to_a_frozen_redis_is_unknown_and_its_repeat_is_safe(owned_valkey: Valkey) -> None:
    site = Site(owned_valkey.url, "t:")
    site.post(key="warm")
    owned_valkey.freeze()
    answer = site.post(key="k")
    assert (answer.status_code, answer.json["code"]) == (503, "acceptance_unknown")
    assert "same Idempotency-Key" in answer.json["detail"]
    owned_valkey.thaw()
    wait_until(lambda: site.post(key="k").status_code == 202, "accepting again", 5)
    assert len({entry.job_id for entry in site.journal()}) == len(site.journal()) == 2
    site.close()


def test_an_outage_is_told_by_its_failures_and_not_by_every_request_that_is_kept_off(
    owned_valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(owned_valkey.url, "t:")
    owned_valkey.kill9()
    with caplog.at_level("INFO", "ingress.failures"):
        assert {site.post(key=f"k{number}").status_code for number in range(200)} == {503}
    told = [record for record in caplog.records if record.name == "ingress.failures"]
    assert 1 <= len(told) < 20
    owned_valkey.start()
    site.close()


def test_a_dead_redis_accepts_nothing_and_says_so(owned_valkey: Valkey) -> None:
    site = Site(owned_valkey.url, "t:")
    site.post(key="warm")
    owned_valkey.kill9()
    for path_answer in (site.post(key="k"), site.get("/health/ready"), site.post_event(b'{"id":"evt_1"}')):
        assert (path_answer.status_code, path_answer.json["code"]) == (503, "redis_unavailable")
        assert path_answer.headers["Retry-After"] == "1"
    assert site.get("/health/live").status_code == 200
    owned_valkey.start()
    wait_until(lambda: site.post(key="k").status_code == 202, "accepting again", 5)
    assert len(site.journal()) == 2
    site.close()


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_redis_that_takes_no_writes_is_a_503(owned_valkey: Valkey, setting: str, value: str) -> None:
    site = Site(owned_valkey.url, "t:")
    site.redis.config_set(setting, value)
    answer = site.post()
    assert (answer.status_code, answer.json["code"]) == (503, "redis_unavailable")
    site.redis.config_set(setting, "0")
    assert site.journal() == []
    assert site.post().status_code == 202
    site.close()


def test_a_read_only_replica_is_a_503(owned_valkey: Valkey) -> None:
    site = Site(owned_valkey.url, "t:")
    site.redis.replicaof("127.0.0.1", "1")
    answer = site.post()
    assert (answer.status_code, answer.json["code"]) == (503, "redis_unavailable")
    site.close()


def test_a_wrong_password_is_a_503(owned_valkey: Valkey) -> None:
    wrong = owned_valkey.url.replace(f":{owned_valkey.password}@", ":another@")
    site = Site(owned_valkey.url, "t:", app=create_app(ingress_settings(wrong, "t:")))
    answer = site.post()
    assert (answer.status_code, answer.json["code"]) == (503, "redis_unavailable")
    site.close()


def test_a_wait_that_loses_redis_still_says_accepted(owned_valkey: Valkey) -> None:
    site = Site(owned_valkey.url, "t:")
    answers: list[TestResponse] = []
    waiting = threading.Thread(target=lambda: answers.append(site.post(headers={"Prefer": "wait=10"})))
    waiting.start()
    wait_until(site.waiters, "the request waits")
    owned_valkey.kill9()
    waiting.join(5)
    assert answers[0].status_code == 202
    site.close()
