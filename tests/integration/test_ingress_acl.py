"""The ingress's Redis user can do all the ingress needs, and nothing else; on Valkey and on the oldest Redis."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from config.acl import ingress_acl
from ingress.app import create_app
from sandbox.servers.ports import free_port
from tasks.contracts.durability import MARK
from tests.builders.ingress import Site, ingress_settings
from tests.integration.test_ingress_accept import project
from tests.polling import wait_until

pytestmark = pytest.mark.owns_servers
PREFIX = "odd*[prefix]?:"
NEIGHBOUR = "oddXp:journal"  # what the prefix would match as a pattern
PASSWORD = "made-up-for-this-test"


@pytest.fixture(params=["valkey", "redis-server"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server of this test's own: the embedded Valkey, or the Redis of this machine."""
    if request.param == "valkey":
        yield request.getfixturevalue("owned_valkey").url
        return
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("there is no redis-server on this machine")
    port = free_port()
    command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        address = f"redis://127.0.0.1:{port}/0"
        wait_until(lambda: answers(address), "redis-server answers")
        yield address
        server.terminate()


def answers(address: str) -> bool:
    with redis.Redis.from_url(address) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@pytest.fixture
def limited(url: str) -> Iterator[tuple[Site, redis.Redis]]:
    """An ingress that logs in as the limited user, and that user's own connection."""
    keyspace = ingress_settings(url, PREFIX).redis.keyspace
    with redis.Redis.from_url(url) as admin:
        admin.execute_command("ACL", "SETUSER", "ingress", "reset", "on", f">{PASSWORD}", *ingress_acl(keyspace))
        admin.xadd(NEIGHBOUR, {"a": 1})
    server = url.rpartition("//")[2].rpartition("@")[2]
    login = f"redis://ingress:{PASSWORD}@{server}"
    site = Site(url, PREFIX, app=create_app(ingress_settings(login, PREFIX)))
    with redis.Redis.from_url(login, protocol=2, driver_info=None) as client:
        yield site, client
    site.close()


def test_the_limited_user_can_do_all_the_ingress_does(limited: tuple[Site, redis.Redis]) -> None:
    site, _ = limited
    site.dispatch()
    first = site.post(key="k")
    assert first.status_code == 202
    assert site.post(key="k").headers["Idempotent-Replayed"] == "true"
    assert site.post_event(b'{"id":"evt_1"}').status_code == 200
    assert site.get(first.json["job"]["links"]["self"]).status_code == 200
    assert site.get(first.json["payment"]["links"]["self"]).status_code == 200
    site.say_absent("job_" + "a" * 26)
    assert site.get("/v1/jobs/job_" + "a" * 26).status_code == 404
    assert site.get("/v1/payments?booking_reference=BK-1").status_code == 503
    assert len(site.journal()) == 3, "a worker is asked for what is missing"
    site.redis.set(site.keyspace.dispatcher_pulse, 1)
    assert site.get("/health/ready").status_code == 200
    project(site, first.json, "running", "processing")
    site.redis.xadd(site.keyspace.waiters(first.json["job"]["id"]), {"v": 1})
    waited = site.post(key="k", headers={"Prefer": "wait=1"})
    assert (waited.status_code, waited.headers["Preference-Applied"]) == (202, "wait=1")
    site.redis.script_flush()
    assert site.post(key="after a flush").status_code == 202
    assert len(site.journal()) == 4


FORBIDDEN: list[Callable[[redis.Redis, Site], object]] = [
    lambda client, site: client.xrange(site.keyspace.journal),
    lambda client, site: client.xread({site.keyspace.journal: "0"}),
    lambda client, site: client.xlen(site.keyspace.journal),
    lambda client, site: client.xdel(site.keyspace.journal, "1-1"),
    lambda client, site: client.delete(site.keyspace.journal),
    lambda client, site: client.dump(site.keyspace.journal),
    lambda client, site: client.rename(site.keyspace.journal, "x"),
    lambda client, site: client.eval("return redis.call('XRANGE', KEYS[1], '-', '+')", 1, site.keyspace.journal),
    lambda client, site: client.eval("return redis.call('DEL', KEYS[1])", 1, site.keyspace.journal),
    lambda client, _site: client.eval("return redis.call('KEYS', '*')", 0),
    lambda client, _site: client.xadd(NEIGHBOUR, {"forged": 1}),
    lambda client, site: client.xadd(site.keyspace.journal_rejected, {"forged": 1}),
    lambda client, site: client.hset(site.keyspace.view("job_x"), "e", "9"),
    lambda client, site: client.delete(site.keyspace.view("job_x")),
    lambda client, site: client.hset(site.keyspace.api_key(site.token.key_id), "rate", "9"),
    lambda client, site: client.hsetnx(site.keyspace.api_key("aaaaaaaa"), "h", "9"),
    lambda client, site: client.xadd(site.keyspace.waiters("job_x"), {"a": 1}),
    lambda client, site: client.set(site.keyspace.epoch, 1),
    lambda client, site: client.set(site.keyspace.durable, "forged"),
    lambda client, site: client.set(site.keyspace.dispatcher_pulse, "forged"),
    lambda client, site: client.hgetall(site.keyspace.breaker("stripe")),
    lambda client, _site: client.info(),
    lambda client, _site: client.script_load(MARK),
    lambda client, _site: client.lpush("payments", "a forged hint"),
    lambda client, _site: client.keys("*"),
    lambda client, _site: client.scan(),
    lambda client, _site: client.config_get("*"),
    lambda client, _site: client.flushall(),
    lambda client, _site: client.flushdb(),
    lambda client, _site: client.acl_list(),
    lambda client, _site: client.script_flush(),
    lambda client, _site: client.client_list(),
    lambda client, _site: client.publish("x", "y"),
    lambda client, _site: client.execute_command("MONITOR"),
    lambda client, _site: client.shutdown(),
]


def test_the_limited_user_can_do_nothing_else(limited: tuple[Site, redis.Redis]) -> None:
    site, client = limited
    site.post()
    for forbidden in FORBIDDEN:
        with pytest.raises(redis.ResponseError, match=r"(?i)permission|acl|can't run|can't access"):
            forbidden(client, site)
    assert len(site.journal()) == 1
