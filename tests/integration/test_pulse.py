"""The dispatcher's pulse over real servers: it tells the truth, and nothing but Redis can hold it up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from config.errors import DatabaseAwayError, StripeUnavailableError
from sandbox.servers import Postgres, Valkey
from tasks.contracts.pulse import Pulse
from tasks.pulse import LEAST_KEPT_SECONDS, Heart
from tests.builders.house import House, open_house
from tests.integration.test_dispatcher import dispatching
from tests.polling import wait_until
from tests.unit.workers.resilience.test_breaker import call
from workers.database_watch import DatabaseWatch
from workers.gateways.stripe import STRIPE_BREAKER
from workers.resilience.breaker import Breaker
from workers.resilience.link import BreakerLink

NOTICED_S = 5.0  # the watch's pause and time limits, and a period of the pulse


def given(house: House) -> Pulse | None:
    """Return the pulse that is there now."""
    value = house.runtime.redis.get(house.keyspace.dispatcher_pulse)
    assert value is None or isinstance(value, bytes)
    return None if value is None else Pulse.from_bytes(value)


class Watched(DatabaseWatch):
    """A watch that found what the test says."""

    def __init__(self, *, away: bool = False) -> None:
        super().__init__(self.refuse if away else lambda: None)
        self.probe_once()

    def refuse(self) -> None:
        raise DatabaseAwayError


@pytest.mark.servers
@pytest.mark.parametrize(("away", "database"), [(False, "up"), (True, "away")])
def test_it_tells_whether_the_database_answers_and_that_no_worker_has_told_of_stripe(
    house: House, away: bool, database: Any
) -> None:
    Heart(house.runtime, Watched(away=away), clock=lambda: 1_700_000_000.5).beat()
    assert given(house) == Pulse(1_700_000_000_500, database, "unknown")


@pytest.mark.servers
def test_it_is_gone_soon_after_its_dispatcher(house: House) -> None:
    Heart(house.runtime, Watched()).beat()
    left = house.runtime.redis.pttl(house.keyspace.dispatcher_pulse)
    assert isinstance(left, int)
    assert 0 < left <= LEAST_KEPT_SECONDS * 1000


@pytest.mark.servers
def test_it_tells_of_the_workers_circuit_breaker(house: House) -> None:
    heart = Heart(house.runtime, Watched())
    breaker = Breaker(STRIPE_BREAKER, failures=1, reset=0.0)
    link = BreakerLink(breaker, house.runtime.redis, house.keyspace.breaker(STRIPE_BREAKER))
    told = []
    for error in (None, StripeUnavailableError(), None):
        breaker.go_alone()
        call(breaker, error)
        link.exchange()
        heart.beat()
        pulse = given(house)
        assert pulse is not None
        told.append(pulse.stripe)
    assert told == ["up", "away", "up"]


@pytest.fixture
def own_house(owned_database_url: str, owned_valkey: Valkey) -> Iterator[House]:
    with open_house(owned_database_url, owned_valkey.url, "own:") as opened:
        yield opened


@pytest.mark.owns_servers
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_it_goes_on_at_its_pace_while_the_database_is_away(
    own_house: House, owned_postgres: Postgres, tmp_path: Path, how: str
) -> None:
    away: Callable[[], None] = owned_postgres.freeze if how == "frozen" else owned_postgres.kill9
    back: Callable[[], None] = owned_postgres.thaw if how == "frozen" else owned_postgres.start

    def says(database: str) -> bool:
        pulse = given(own_house)
        return pulse is not None and pulse.database == database

    with dispatching(own_house, tmp_path / "log"):
        wait_until(lambda: says("up"), "the database is up")
        away()
        wait_until(lambda: says("away"), "it tells", within_s=NOTICED_S)
        began, pauses, last = time.monotonic(), [], given(own_house)
        while time.monotonic() < began + 6.0:  # longer than any time limit for PostgreSQL
            seen = last
            wait_until(lambda seen=seen: given(own_house) != seen, "the next pulse", within_s=3.0)  # type: ignore[misc]  # mypy can't infer a lambda with a default
            last = given(own_house)
            assert last is not None
            assert seen is not None
            pauses.append((last.at_ms - seen.at_ms) / 1000)
        assert max(pauses) < 2.0
        back()
        wait_until(lambda: says("up"), "it tells", within_s=15.0)
