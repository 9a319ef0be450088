"""Readiness and the header on answers tell what processing waits for."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ingress.app import create_app
from ingress.redis_gate import RedisGate, connection_pool
from tasks.contracts.pulse import Pulse
from tests.builders.ingress import Site
from tests.integration.test_ingress_accept import project

pytestmark = pytest.mark.servers


def beat(site: Site, database: Any = "up", stripe: Any = "up") -> None:
    site.redis.set(site.keyspace.dispatcher_pulse, Pulse(1_700_000_000_000, database, stripe).to_bytes())


def fresh(site: Site) -> None:
    """Let the ingress start anew, so that it knows nothing yet."""
    site.app = create_app(site.settings, waiting=site.waiting)


@pytest.mark.parametrize(
    ("database", "stripe", "status"),
    [
        ("up", "up", "ready"),
        ("unknown", "unknown", "ready"),
        ("away", "up", "degraded"),
        ("up", "away", "degraded"),
        ("away", "away", "degraded"),
    ],
)
def test_readiness_tells_how_each_part_is(site: Site, database: str, stripe: str, status: str) -> None:
    beat(site, database, stripe)
    answer = site.get("/health/ready")
    assert answer.status_code == 200
    told = {name: answer.json[name] for name in ("status", "redis", "dispatcher", "database", "stripe")}
    assert told == {"status": status, "redis": "up", "dispatcher": "up", "database": database, "stripe": stripe}
    assert answer.json["dispatcher_pulse_age_seconds"] > 0


def test_readiness_without_a_dispatcher_is_degraded_and_knows_nothing_of_the_rest(site: Site) -> None:
    answer = site.get("/health/ready")
    assert (answer.status_code, answer.json["status"], answer.json["dispatcher"]) == (200, "degraded", "away")
    assert (answer.json["database"], answer.json["stripe"]) == ("unknown", "unknown")
    assert answer.json["dispatcher_pulse_age_seconds"] is None


@pytest.mark.parametrize(
    ("database", "stripe", "delayed"),
    [("up", "up", None), ("away", "up", "database"), ("up", "away", "stripe"), ("away", "away", "database")],
)
def test_an_acceptance_and_a_job_that_is_not_over_tell_what_they_wait_for(
    site: Site, database: str, stripe: str, delayed: str | None
) -> None:
    beat(site, database, stripe)
    accepted = site.post(key="k")
    assert (accepted.status_code, accepted.headers.get("Tollgate-Delayed")) == (202, delayed)
    fresh(site)
    shown = site.get(accepted.json["job"]["links"]["self"])
    assert (shown.status_code, shown.headers.get("Tollgate-Delayed")) == (200, delayed)


def test_without_a_dispatcher_an_acceptance_says_so(site: Site) -> None:
    assert site.post().headers["Tollgate-Delayed"] == "dispatcher"


def test_what_is_over_waits_for_nothing(site: Site) -> None:
    accepted = site.post(key="k")
    project(site, accepted.json, "done", "requires_confirmation")
    for answer in (site.post(key="k"), site.get(accepted.json["job"]["links"]["self"])):
        assert (answer.status_code, "Tollgate-Delayed" in answer.headers) == (200, False)


class CountingGate(RedisGate):
    """Notes what is asked in each round trip."""

    trips: list[list[str]]

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        self.trips.append([command[0] for command in commands])
        return super().ask(*commands)


def test_the_outlook_takes_no_round_trip_of_its_own_and_asks_once_a_second(site: Site) -> None:
    site.post(key="warm")
    gate = CountingGate(connection_pool(site.settings.redis, size=2, socket_timeout=1.0))
    gate.trips = []
    site.app = create_app(site.settings, redis=gate, waiting=site.waiting)
    began = time.monotonic()
    for number in range(50):
        assert site.post(key=f"k{number}").status_code == 202
    seconds = time.monotonic() - began
    accepting = [trip for trip in gate.trips if trip[0] == "EVALSHA"]
    assert gate.trips == [["HGETALL"], *accepting]  # the API key's record, then one trip for each
    assert len(accepting) == 50
    assert 1 <= accepting.count(["EVALSHA", "GET"]) <= seconds + 1
    gate.close()
