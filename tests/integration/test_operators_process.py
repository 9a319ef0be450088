"""Pausing, resuming and cancelling among running processes: in force within two seconds, whatever is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.contracts.steps import Step
from tests.builders.entries import payment_entry
from tests.builders.house import House
from tests.builders.processes import DISPATCHER, WORKER, Process, environment, running
from tests.builders.simulator import Simulator
from tests.polling import wait_until
from workers.jobs.cancel import cancel
from workers.jobs.operator import Operator
from workers.jobs.pause import pause, resume

pytestmark = pytest.mark.servers
ADA = Operator("ada", "the test says so")
EFFECTIVE_S = 2.0  # what operators are promised
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}


@pytest.fixture
def variables(shop: House, stripe: Simulator) -> dict[str, str]:
    settings = shop.runtime.settings
    return environment(settings.database.url, settings.redis.url, shop.keyspace.prefix, stripe.url)


@pytest.fixture
def processes(shop: House, variables: dict[str, str], tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    with (
        running(DISPATCHER, variables, tmp_path / "dispatcher.log") as dispatcher,
        running(WORKER, variables, tmp_path / "worker.log") as worker,
    ):
        post(shop)
        wait_until(
            lambda: shop.sql("SELECT 1 FROM jobs WHERE state = 'done' AND kind = 'payments.create'"),
            "both processes are at work",
        )
        yield dispatcher, worker


def post(shop: House) -> str:
    entry = payment_entry()
    shop.post(entry)
    return entry.job_id


def set_paused(shop: House, *, paused: bool) -> None:
    with shop.runtime.transaction(Step.PUBLISH) as session:
        assert (pause if paused else resume)(session, "payments", ADA)


def running_jobs(shop: House) -> int:
    return int(
        shop.one("SELECT count(*) AS number FROM jobs WHERE state = 'running' AND client_id <> 'tollgate'")["number"]
    )


def begun(shop: House, *job_ids: str) -> int:
    return int(
        shop.one("SELECT count(*) AS number FROM jobs WHERE id = ANY(:ids) AND fence > 0", ids=list(job_ids))["number"]
    )


def test_a_paused_queue_begins_nothing_and_goes_on_within_two_seconds_whatever_died_meanwhile(
    shop: House, stripe: Simulator, processes: tuple[Process, Process], variables: dict[str, str], tmp_path: Path
) -> None:
    dispatcher, worker = processes
    stripe.faults({"do": "latency", "ms": 300, "match": {**INTENTS, "times": 0}})
    before = [post(shop) for _ in range(6)]
    wait_until(lambda: running_jobs(shop) > 0, "some of them run")
    set_paused(shop, paused=True)
    wait_until(lambda: running_jobs(shop) == 0, "what ran came to its end")
    at_rest = begun(shop, *before)
    later = [post(shop) for _ in range(5)]
    wait_until(
        lambda: len(shop.sql("SELECT 1 FROM jobs WHERE kind = 'payments.create'")) == 12,
        "what is posted is taken in all the same",
    )
    dispatcher.kill()
    worker.kill()
    with (
        running(DISPATCHER, variables, tmp_path / "dispatcher.log"),
        running(WORKER, variables, tmp_path / "worker.log") as again,
    ):
        wait_until(lambda: again.log().count(" ready.") >= 2, "the second worker is ready")
        for job_id in later:
            assert shop.create(job_id).state == "ready"  # as a hint that is on its way would find it
        assert begun(shop, *before) == at_rest
        assert begun(shop, *later) == 0
        set_paused(shop, paused=False)
        resumed = time.monotonic()
        wait_until(lambda: begun(shop, *later) > 0, "the queue goes on", within_s=EFFECTIVE_S)
        assert time.monotonic() - resumed < EFFECTIVE_S
        wait_until(
            lambda: (
                shop.one("SELECT count(*) AS n FROM jobs WHERE state = 'done' AND kind = 'payments.create'")["n"] == 12
            ),
            "all are done",
        )


def test_a_cancelled_job_is_over_within_two_seconds_and_was_never_asked_for(
    shop: House, stripe: Simulator, processes: tuple[Process, Process]
) -> None:
    set_paused(shop, paused=True)
    entry = payment_entry()
    shop.post(entry)
    wait_until(lambda: shop.sql("SELECT 1 FROM jobs WHERE id = :id", id=entry.job_id), "it is taken in")
    with shop.runtime.transaction(Step.PUBLISH) as session:
        assert cancel(session, [entry.job_id], ADA) == {entry.job_id: "ready"}
    wait_until(lambda: shop.job(entry.job_id)["state"] == "cancelled", "it is cancelled", within_s=EFFECTIVE_S)
    view = shop.keyspace.view(entry.subject_id)
    wait_until(
        lambda: shop.view_fields(view) and shop.payment_view(entry.subject_id).status == "canceled",
        "its payment is seen to be canceled",
    )
    listed = stripe.client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    assert all(each.to_dict()["metadata"].get("tollgate_payment") != entry.subject_id for each in listed)
