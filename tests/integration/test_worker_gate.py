"""While PostgreSQL is away a worker takes nothing from its queues, and soon after its return it goes on by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers import Postgres
from tests.builders.house import House, open_house
from tests.builders.processes import WORKER, Process, environment, running
from tests.builders.simulator import Simulator
from tests.integration.test_worker_process import accepted, hint, is_done
from tests.polling import wait_until

pytestmark = pytest.mark.owns_servers
NOTICED_S = 4.0  # half a second between probes, two seconds for one, and a loaded machine
BACK_S = 2.0  # promised
PREFETCHED = 4  # a hint for each thread may be on its way to it


@pytest.fixture
def house(
    owned_postgres: Postgres, owned_database_url: str, redis_url: str, redis_prefix: str, stripe: Simulator
) -> Iterator[House]:
    del owned_postgres
    with open_house(owned_database_url, redis_url, redis_prefix, stripe.url) as opened:
        yield opened


@pytest.fixture
def worker(house: House, tmp_path: Path) -> Iterator[Process]:
    settings = house.runtime.settings
    variables = environment(settings.database.url, settings.redis.url, house.keyspace.prefix, settings.stripe.api_base)
    with running(WORKER, variables, tmp_path / "worker.log") as process:
        wait_until(lambda: " ready." in process.log(), "the worker is ready")
        yield process


def said(worker: Process, words: str) -> int:
    return sum(words in json.loads(line)["message"] for line in worker.log().splitlines())


@pytest.mark.parametrize("trouble", ["frozen", "killed"])
def test_hints_stay_in_their_queue_while_postgresql_is_away_and_are_taken_when_it_is_back(
    house: House, worker: Process, owned_postgres: Postgres, trouble: str
) -> None:
    first, *others = [accepted(house)[0] for _ in range(6)]
    hint(house, first)
    wait_until(lambda: is_done(house, first), "the worker works")
    owned_postgres.freeze() if trouble == "frozen" else owned_postgres.kill9()
    wait_until(lambda: said(worker, "PostgreSQL is away"), "it has noticed", within_s=NOTICED_S)
    wait_until(lambda: worker_is_idle(house), "its last request for a message has run out", within_s=NOTICED_S)
    hint(house, *others)
    seen: list[int] = []
    until = time.monotonic() + 2.0
    wait_until(lambda: seen.append(house.depth("payments")) or time.monotonic() > until, "a while has passed")
    assert set(seen) == {len(others)}
    owned_postgres.thaw() if trouble == "frozen" else owned_postgres.start()
    back = time.monotonic()
    wait_until(lambda: house.depth("payments") == 0, "hints are taken again", within_s=BACK_S)
    assert time.monotonic() - back < BACK_S
    for job_id in others:
        wait_until(lambda job_id=job_id: is_done(house, job_id), f"{job_id} is done")  # type: ignore[misc]  # mypy can't infer a lambda with a default
    assert (said(worker, "PostgreSQL is away"), said(worker, "PostgreSQL is back")) == (1, 1)
    assert {house.job(job_id)["rescues"] for job_id in others} == {0}
    assert worker.stop() == 0


def worker_is_idle(house: House) -> bool:
    """Tell whether nobody waits for a message at Redis any more."""
    clients = house.runtime.redis.client_list()
    return not any(client["cmd"] == "brpop" and "b" in client["flags"] for client in clients)
