"""A Redis that has forgotten everything can't tell who is unknown; nobody is turned away for good meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.builders.ingress import Site

pytestmark = pytest.mark.servers
UNKNOWN_JOB, UNKNOWN_PAYMENT = "/v1/jobs/job_" + "a" * 26, "/v1/payments/pay_" + "a" * 26


@pytest.fixture
def site(redis_url: str, redis_prefix: str) -> Iterator[Site]:
    site = Site(redis_url, redis_prefix, api_key_cache_seconds=0.000_001)
    yield site
    site.close()


def forget_all(site: Site) -> None:
    for key in site.redis.scan_iter(f"{site.keyspace.prefix}*"):
        site.redis.delete(key)


def test_a_key_that_redis_forgot_is_asked_to_come_again(site: Site) -> None:
    record = site.redis.hgetall(site.keyspace.api_key(site.token.key_id))
    forget_all(site)
    answer = site.post()
    assert (answer.status_code, answer.json["code"]) == (503, "redis_unavailable")
    assert answer.headers["Retry-After"] == "1"
    site.redis.hset(site.keyspace.api_key(site.token.key_id), mapping=record)  # type: ignore[arg-type]  # redis-py's union of sync and async
    assert site.post().status_code == 202


def test_a_key_that_is_missing_from_a_full_redis_is_refused(site: Site) -> None:
    site.redis.delete(site.keyspace.api_key(site.token.key_id))
    assert site.post().status_code == 401


@pytest.mark.parametrize("path", [UNKNOWN_JOB, UNKNOWN_PAYMENT])
def test_a_view_that_redis_forgot_is_unavailable_and_not_missing(site: Site, path: str) -> None:
    name = path.rpartition("/")[2]
    site.say_absent(name)
    assert site.get(path).status_code == 404
    site.redis.delete(site.keyspace.epoch, site.keyspace.absent(name))
    answer = site.get(path)
    assert (answer.status_code, answer.json["code"]) == (503, "view_unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_what_is_there_is_shown_whether_or_not_the_rest_is(site: Site) -> None:
    links = site.post().json["job"]["links"]
    site.redis.delete(site.keyspace.epoch)
    assert [site.get(links[name]).status_code for name in ("self", "payment")] == [200, 200]


def test_what_is_filled_in_between_is_found(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    link = site.post().json["job"]["links"]["self"]
    monkeypatch.setattr("ingress.redis_gate.RedisGate.ask_one", lambda _gate, *_command: [])
    assert site.get(link).status_code == 200
