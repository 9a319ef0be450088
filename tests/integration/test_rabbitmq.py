"""RabbitMQ as Celery's broker, by one setting: hints go through it, and losing or spoiling one is harmless."""

from __future__ import annotations

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from config.celery_factory import create_celery
from config.queues import PAYMENTS
from tasks import upkeep
from tasks.publisher import empty_queues
from tests.builders.entries import payment_entry
from tests.builders.house import House
from tests.builders.processes import DISPATCHER, WORKER, environment, running
from tests.builders.simulator import Simulator
from tests.polling import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("rabbitmq")]
CONTROL_S = 60  # rabbitmqctl starts an Erlang of its own


def control(*arguments: str) -> bool:
    """Run rabbitmqctl and tell whether RabbitMQ did as it was asked."""
    program = shutil.which("rabbitmqctl", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        return False
    return (
        subprocess.run([program, "-q", *arguments], capture_output=True, check=False, timeout=CONTROL_S).returncode == 0
    )


@pytest.fixture(scope="module")
def amqp_url() -> Iterator[str]:
    """Make a virtual host of our own on this machine's RabbitMQ; no test touches another."""
    host = f"tollgate_test_{secrets.token_hex(6)}"
    if not control("add_vhost", host):
        pytest.skip("RabbitMQ: no rabbitmqctl here that may make a virtual host on a running server")
    try:
        assert control("set_permissions", "-p", host, "guest", ".*", ".*", ".*")
        yield f"amqp://guest:guest@127.0.0.1:5672/{host}"
    finally:
        control("delete_vhost", host)


@pytest.fixture
def rabbit(shop: House, amqp_url: str) -> Iterator[Celery]:
    with create_celery(broker_url=amqp_url, keyspace=shop.keyspace, publishes_only=True) as app:
        yield app
        purge(app)


def purge(app: Celery) -> None:
    """Lose what waits in the queue."""
    with app.connection_for_write() as connection:
        empty_queues(app, [PAYMENTS])  # declares it
        connection.default_channel.queue_purge(PAYMENTS)


def accepted(house: House) -> str:
    entry = payment_entry()
    house.take_in(entry)
    house.sql("UPDATE jobs SET published_at = NULL")
    return entry.job_id


def test_a_hint_that_rabbitmq_lost_is_sent_again(shop: House, rabbit: Celery) -> None:
    accepted(shop)
    upkeep.publish_due(shop.runtime, rabbit)
    assert empty_queues(rabbit, [PAYMENTS]) == []
    purge(rabbit)
    assert empty_queues(rabbit, [PAYMENTS]) == [PAYMENTS]
    shop.sql("UPDATE jobs SET published_at = clock_timestamp() - interval '1 minute'")
    upkeep.publish_lost(shop.runtime, rabbit)
    assert empty_queues(rabbit, [PAYMENTS]) == []


def test_payments_are_made_over_rabbitmq_and_no_message_ends_a_worker(
    shop: House, stripe: Simulator, rabbit: Celery, amqp_url: str, tmp_path: Path
) -> None:
    settings = shop.runtime.settings
    variables = environment(
        settings.database.url, settings.redis.url, shop.keyspace.prefix, stripe.url, TOLLGATE_BROKER_URL=amqp_url
    )
    with (
        running(WORKER, variables, tmp_path / "worker.log") as worker,
        running(DISPATCHER, variables, tmp_path / "dispatcher.log") as dispatcher,
    ):
        wait_until(lambda: " ready." in worker.log() or worker.popen.poll() is not None, "the worker is ready")
        with rabbit.connection_for_write() as connection, connection.Producer() as producer:
            for body, kind in (
                (b"\x00\xff", "application/data"),
                (b"{", "application/json"),
                (b"[5]", "application/json"),
            ):
                producer.publish(body, routing_key=PAYMENTS, content_type=kind, content_encoding="utf-8")
        jobs = [accepted(shop) for _ in range(3)]
        for job_id in jobs:
            wait_until(
                lambda job_id=job_id: shop.job(job_id)["state"] == "done",  # type: ignore[misc]  # a default
                f"{job_id} is done; log: {worker.log()[-2000:]}",
                within_s=30.0,
            )
        assert worker.popen.poll() is None
        assert dispatcher.stop() == 0
        assert worker.stop() == 0
