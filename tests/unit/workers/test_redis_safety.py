"""Live money never depends on a Redis that can forget what it has acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ResponseError

from config.errors import SettingsError
from workers.redis_safety import REQUIRED, check_redis


class FakeRedis:
    """Answers CONFIG GET from a dictionary."""

    def __init__(self, **settings: str) -> None:
        self.settings = {name.replace("_", "-"): value for name, value in settings.items()}

    def config_get(self, name: str) -> dict[str, str]:
        return {name: self.settings[name]} if name in self.settings else {}


class Closed:
    """Refuses CONFIG GET."""

    def config_get(self, name: str) -> dict[str, str]:
        raise ResponseError(f"NOPERM this user has no permissions to run 'config|get' ({name})")


def check(redis: Any, environment: Any) -> None:
    check_redis(redis, environment)


SAFE = {"appendonly": "yes", "appendfsync": "always", "maxmemory_policy": "noeviction"}


def test_a_safe_redis_may_carry_live_money() -> None:
    check(FakeRedis(**SAFE), "live")


@pytest.mark.parametrize(
    ("name", "value"),
    [("appendonly", "no"), ("appendfsync", "everysec"), ("appendfsync", "no"), ("maxmemory_policy", "allkeys-lru")],
)
def test_a_forgetful_redis_is_refused_with_what_it_must_have(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"'{value}', but live needs '{REQUIRED[name.replace('_', '-')]}'"):
        check(FakeRedis(**{**SAFE, name: value}), "live")


def test_a_redis_that_tells_nothing_of_itself_is_refused() -> None:
    with pytest.raises(SettingsError):
        check(FakeRedis(), "live")


def test_a_redis_that_hides_its_settings_is_refused_with_what_to_allow() -> None:
    with pytest.raises(SettingsError, match=r"allow \+config\|get"):
        check(Closed(), "live")


@pytest.mark.parametrize("environment", ["sandbox", "test"])
def test_elsewhere_any_redis_will_do(environment: str) -> None:
    check(Closed(), environment)
