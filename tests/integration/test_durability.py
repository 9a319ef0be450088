"""Live money is accepted only into a run of Redis that a dispatcher has vouched for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from config.acl import ingress_acl
from config.errors import SettingsError
from ingress.app import create_app
from sandbox.servers import Valkey
from tests.builders.ingress import Site, ingress_settings
from tests.polling import wait_until
from workers.redis_safety import vouch

pytestmark = pytest.mark.owns_servers
PASSWORD = "made-up-for-this-test"


@pytest.fixture
def site(owned_valkey: Valkey) -> Iterator[Site]:
    """A live ingress, whose Redis user may do no more than it must."""
    let_in(owned_valkey)
    login = f"redis://ingress:{PASSWORD}@{owned_valkey.host}:{owned_valkey.port}/0"
    app = create_app(ingress_settings(login, "t:", environment="live"))
    made = Site(owned_valkey.url, "t:", app=app, environment="live")
    yield made
    made.close()


def let_in(valkey: Valkey) -> None:
    rules = ingress_acl(ingress_settings().redis.keyspace)
    with valkey.client() as client:
        client.execute_command("ACL", "SETUSER", "ingress", "reset", "on", f">{PASSWORD}", *rules)


def dispatcher_vouches(site: Site) -> None:
    vouch(site.redis, "live", site.keyspace)


def assert_refuses(site: Site) -> None:
    for answer in (site.post(), site.post_event(b'{"id":"evt_1"}'), site.get("/health/ready")):
        assert (answer.status_code, answer.json["code"]) == (503, "redis_unproven")
        assert answer.headers["Retry-After"] == "1"


def test_nothing_is_accepted_before_a_dispatcher_has_vouched(site: Site) -> None:
    assert_refuses(site)
    assert site.journal() == []
    dispatcher_vouches(site)
    assert site.post().status_code == 202
    assert site.get("/health/ready").status_code == 200


def test_it_goes_on_without_any_dispatcher_once_one_has_vouched(site: Site) -> None:
    dispatcher_vouches(site)
    site.redis.delete(site.keyspace.dispatcher_pulse)
    assert site.post().headers["Tollgate-Delayed"] == "dispatcher"


@pytest.mark.parametrize(
    ("name", "value"), [("appendfsync", "everysec"), ("appendonly", "no"), ("maxmemory-policy", "allkeys-lru")]
)
def test_a_redis_that_is_set_to_forget_is_refused_within_seconds(site: Site, name: str, value: str) -> None:
    dispatcher_vouches(site)
    assert site.post(key="before").status_code == 202
    site.redis.config_set(name, value)
    with pytest.raises(SettingsError, match=f"{name} '{value}'"):
        dispatcher_vouches(site)
    wait_until(lambda: site.post().status_code == 503, "nothing is accepted any more", within_s=5.0)
    assert_refuses(site)


def test_a_redis_that_was_started_again_must_be_vouched_for_again(site: Site, owned_valkey: Valkey) -> None:
    dispatcher_vouches(site)
    assert site.post(key="before").status_code == 202
    owned_valkey.kill9()
    assert site.post(key="away").status_code == 503
    owned_valkey.start()
    let_in(owned_valkey)  # users are not kept by this server
    wait_until(lambda: site.post(key="after").json.get("code") == "redis_unproven", "it answers", within_s=5.0)
    assert_refuses(site)
    assert len(site.journal()) == 1
    dispatcher_vouches(site)
    assert site.post(key="after").status_code == 202


def test_a_redis_whose_rules_are_of_an_older_version_is_refused_with_what_to_do(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher_vouches(site)
    older = [rule.replace(f" %R~{site.keyspace.durable}", "") for rule in ingress_acl(site.keyspace)]
    site.redis.execute_command("ACL", "SETUSER", "ingress", *older)
    assert_refuses(site)
    assert "tollgate redis acl" in caplog.text


def test_elsewhere_than_live_nothing_is_vouched_for(redis_url: str, redis_prefix: str) -> None:
    made = Site(redis_url, redis_prefix)
    vouch(made.redis, "sandbox", made.keyspace)
    assert not made.redis.exists(made.keyspace.durable)
    assert isinstance(made.redis, redis.Redis)
    assert made.post().status_code == 202
    made.close()
