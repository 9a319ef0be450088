"""A worker that is told to stop: what it finishes, what it gives back, how it ends, and what it says meanwhile."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.servers import Valkey
from tests.builders.house import House, open_house
from tests.builders.processes import DISPATCHER, WORKER, Process, environment, running
from tests.builders.simulator import Simulator
from tests.integration.test_worker_process import accepted, hint, is_done, made
from tests.polling import wait_until

pytestmark = pytest.mark.servers
THREADS = 4
GRACE_S = 4.0  # `tests.builders.processes` sets it
MARGIN_S = 4.0  # what closing takes at most, and what a loaded machine adds
CUSTOMERS = {"method": "POST", "path": "^/v1/customers$"}
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}


@pytest.fixture
def variables(shop: House, stripe: Simulator) -> dict[str, str]:
    settings = shop.runtime.settings
    return environment(settings.database.url, settings.redis.url, shop.keyspace.prefix, stripe.url)


@pytest.fixture
def worker(variables: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    with running(WORKER, variables, tmp_path / "worker.log") as process:
        wait_until(lambda: " ready." in process.log() or process.popen.poll() is not None, "the worker is ready")
        assert process.popen.poll() is None, process.log()
        yield process


def slow(stripe: Simulator, milliseconds: int, *matches: dict[str, str], times: int = 1) -> None:
    stripe.faults(*({"do": "latency", "ms": milliseconds, "match": {**match, "times": times}} for match in matches))


def fired(stripe: Simulator) -> int:
    return sum(fault["fired"] for fault in stripe.control("GET", "faults")["faults"])


def test_what_runs_is_finished_and_what_waits_in_the_pool_goes_back_to_its_queue(
    shop: House, stripe: Simulator, worker: Process
) -> None:
    slow(stripe, 2000, INTENTS, times=THREADS)
    jobs = [accepted(shop)[0] for _ in range(THREADS + 3)]
    hint(shop, *jobs)
    wait_until(lambda: fired(stripe) == THREADS, "every thread asks Stripe")
    asked = time.monotonic()
    worker.popen.send_signal(signal.SIGTERM)
    wait_until(lambda: shop.depth("payments") == 3, "the hints that no thread has begun are back", within_s=1.5)
    assert worker.popen.wait(GRACE_S + MARGIN_S) == 0
    assert 0.5 < time.monotonic() - asked < GRACE_S
    states = [shop.job(job_id) for job_id in jobs]
    assert sorted(row["state"] for row in states) == ["done"] * THREADS + ["ready"] * 3
    assert {row["rescues"] for row in states} == {0}
    assert sorted(row["fence"] for row in states) == [0] * 3 + [1] * THREADS  # the others were not even claimed
    hinted = {job_id for ids in shop.hinted("payments") for job_id in ids}
    assert hinted == {row["id"] for row in states if row["state"] == "ready"}


def test_a_job_beyond_the_grace_is_given_back_and_done_elsewhere_without_a_rescue(
    shop: House, stripe: Simulator, worker: Process, variables: dict[str, str], tmp_path: Path
) -> None:
    slow(stripe, 2800, CUSTOMERS, INTENTS)  # each within a call's limit, together beyond the grace
    job_id, payment_id = accepted(shop, customer_email="slow@example.org")
    hint(shop, job_id)
    wait_until(lambda: fired(stripe) == 1, "Stripe is being asked")
    with running(DISPATCHER, variables, tmp_path / "dispatcher.log"):
        asked = time.monotonic()
        worker.popen.send_signal(signal.SIGTERM)
        assert worker.popen.wait(GRACE_S + MARGIN_S) == 0
        took = time.monotonic() - asked
        assert GRACE_S - 0.5 < took < GRACE_S + MARGIN_S
        assert shop.job(job_id)["state"] == "checking"
        with running(WORKER, variables, tmp_path / "second.log"):
            wait_until(lambda: is_done(shop, job_id), "another worker has done it")
    row = shop.job(job_id)
    assert (row["rescues"], row["fence"] >= 2) == (0, True)
    assert shop.attempts(job_id)[0]["outcome"] == "released"
    assert made(stripe, payment_id) == 1
    assert "is given back" in worker.log()


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT), (signal.SIGQUIT, None)],
    ids=["SIGTERM twice", "SIGINT after SIGTERM", "SIGQUIT"],
)
def test_whoever_insists_ends_it_at_once(
    shop: House, stripe: Simulator, worker: Process, first: signal.Signals, second: signal.Signals | None
) -> None:
    slow(stripe, 2800, INTENTS)
    job_id, _ = accepted(shop)
    hint(shop, job_id)
    wait_until(lambda: fired(stripe) == 1, "Stripe is being asked")
    asked = time.monotonic()
    worker.popen.send_signal(first)
    if second is not None:
        wait_until(lambda: "worker stops" in worker.log(), "it has heard the first signal")
        worker.popen.send_signal(second)
    assert worker.popen.wait(MARGIN_S) == 128 + (second or first)
    assert time.monotonic() - asked < 1.5
    assert shop.job(job_id)["state"] == "running"  # its lease is left to run out, as after a kill


def test_every_line_of_its_log_is_json(worker: Process) -> None:
    assert worker.stop() == 0
    lines = [json.loads(line) for line in worker.log().splitlines()]
    assert {line["process"] for line in lines} == {"tested"}
    assert lines[-1]["message"] == "worker stopped"


@pytest.mark.owns_servers
def test_a_frozen_broker_does_not_keep_it_from_ending(
    database_url: str, owned_valkey: Valkey, stripe: Simulator, tmp_path: Path
) -> None:
    with open_house(database_url, owned_valkey.url, "own:", stripe.url) as house:
        variables = environment(database_url, owned_valkey.url, "own:", stripe.url)
        with running(WORKER, variables, tmp_path / "worker.log") as process:
            wait_until(lambda: " ready." in process.log(), "the worker is ready")
            slow(stripe, 1500, INTENTS)
            job_id, _ = accepted(house)
            hint(house, job_id)
            wait_until(lambda: fired(stripe) == 1, "Stripe is being asked")
            owned_valkey.freeze()
            asked = time.monotonic()
            try:
                process.popen.send_signal(signal.SIGTERM)
                assert process.popen.wait(GRACE_S + MARGIN_S + MARGIN_S) == 0
                assert time.monotonic() - asked < GRACE_S + MARGIN_S
                assert is_done(house, job_id)
            finally:
                owned_valkey.thaw()
