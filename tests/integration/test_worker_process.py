"""A worker as a real process: it survives what it is sent, finishes what it began, and its death costs nothing."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.publisher import send
from tests.builders.entries import payment_entry
from tests.builders.house import House
from tests.builders.processes import DISPATCHER, ROOT, WORKER, Process, environment, running
from tests.builders.simulator import Simulator
from tests.polling import wait_until
from workers.jobs.publish import Hint

pytestmark = pytest.mark.servers
INTENTS = {"method": "POST", "path": "^/v1/payment_intents$"}


@pytest.fixture
def variables(shop: House, stripe: Simulator) -> dict[str, str]:
    settings = shop.runtime.settings
    return environment(settings.database.url, settings.redis.url, shop.keyspace.prefix, stripe.url)


@pytest.fixture
def worker(shop: House, variables: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    with running(WORKER, variables, tmp_path / "worker.log") as process:
        wait_until(lambda: " ready." in process.log() or process.popen.poll() is not None, "the worker is ready")
        assert process.popen.poll() is None, process.log()
        yield process


def hint(house: House, *job_ids: str, kind: str = "payments.create", queue: str = "payments") -> None:
    assert send(house.app, [Hint(job_id, kind, queue) for job_id in job_ids]) == []


def accepted(house: House, **changes: Any) -> tuple[str, str]:
    entry = payment_entry(**changes)
    house.take_in(entry)
    return entry.job_id, entry.subject_id


def is_done(house: House, job_id: str) -> bool:
    return bool(house.job(job_id)["state"] == "done")


def made(stripe: Simulator, payment_id: str) -> int:
    listed = stripe.client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()
    return sum(each.to_dict()["metadata"].get("tollgate_payment") == payment_id for each in listed)


def push(house: House, queue: str, raw: bytes) -> None:
    """Put something into a queue that no publisher of ours would send."""
    house.runtime.redis.lpush(f"{house.keyspace.prefix}celery:{queue}", raw)


def message(task: str, body: Any, **headers: Any) -> bytes:
    """Return a message as kombu writes it to Redis."""
    encoded = base64.b64encode(body if isinstance(body, bytes) else json.dumps(body).encode()).decode()
    return json.dumps(
        {
            "body": encoded,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"lang": "py", "task": task, "id": "strange-1", "argsrepr": "", "kwargsrepr": "", **headers},
            "properties": {
                "correlation_id": "strange-1",
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "payments"},
                "priority": 0,
                "body_encoding": "base64",
                "delivery_tag": "tag-1",
            },
        }
    ).encode()


NO_OPTIONS = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
MALFORMED = {
    "not JSON": b"\x00\xff not JSON",
    "JSON of another shape": b'{"hello": 1}',
    "a list": b"[1, 2]",
    "one without a bottom": b"[" * 200_000,
    "no body": json.dumps({"headers": {}, "properties": {}}).encode(),
    "a body that is no base64": message("payments.create", b"x").replace(b'"body": "', b'"body": "%%%'),
    "a body that is no JSON": message("payments.create", b"\xff\xfe"),
    "an unknown task": message("payments.explode", [[["job_1"]], {}, NO_OPTIONS]),
    "no arguments": message("payments.create", [[], {}, NO_OPTIONS]),
    "too many arguments": message("payments.create", [[["job_1"], 2, 3], {}, NO_OPTIONS]),
    "arguments of the wrong kind": message("payments.create", [[5], {}, NO_OPTIONS]),
    "ids of the wrong kind": message("payments.create", [[[{"a": 1}, None, 7, "\x00"]], {}, NO_OPTIONS]),
    "no job of ours": message("payments.create", [[["job_none"]], {}, NO_OPTIONS]),
    "pickle": message("payments.create", b"x").replace(b"application/json", b"application/x-python-serialize"),
    "one that came from nowhere": message("payments.create", [[["job_1"]], {}, NO_OPTIONS]).replace(
        b'{"exchange": "", "routing_key": "payments"}', b"7"
    ),
    "one of an unheard-of encoding": message("payments.create", [[["job_1"]], {}, NO_OPTIONS]).replace(
        b'"utf-8"', b"5"
    ),
    "retries that are no number": message("payments.create", [[["job_1"]], {}, NO_OPTIONS], retries="many"),
    "an id that is no name": message("payments.create", [[["job_1"]], {}, NO_OPTIONS], id={}),
    "one with a callback": message("payments.create", [[["job_1"]], {}, {**NO_OPTIONS, "callbacks": 5}]),
    "a huge one": message("payments.create", [["x" * 2_000_000], {}, NO_OPTIONS]),
    "one for the far future": message(
        "payments.create", [[["job_1"]], {}, NO_OPTIONS], eta="2999-01-01T00:00:00+00:00"
    ),
}


def test_malformed_messages_neither_kill_nor_block_a_worker(shop: House, worker: Process) -> None:
    for raw in MALFORMED.values():
        push(shop, "payments", raw)
        push(shop, "webhooks", raw)
    wait_until(lambda: shop.depth("payments") == shop.depth("webhooks") == 0, "all of it is taken")
    jobs = [accepted(shop)[0] for _ in range(3)]
    hint(shop, *jobs)
    for job_id in jobs:
        wait_until(lambda job_id=job_id: is_done(shop, job_id), f"{job_id} is done; log: {worker.log()[-2000:]}")  # type: ignore[misc]  # mypy can't infer a lambda with a default
    assert worker.popen.poll() is None


def test_every_message_that_is_no_hint_is_counted(shop: House, worker: Process) -> None:
    def counted() -> int:
        return int(shop.one("SELECT COALESCE(sum(strays), 0) AS number FROM processes")["number"])

    for raw in MALFORMED.values():
        push(shop, "payments", raw)
    no_strays = {"no job of ours"}  # this is a hint, if an odd one
    wait_until(lambda: counted() >= len(MALFORMED) - len(no_strays), "all are counted")
    assert counted() == len(MALFORMED) - len(no_strays)


@pytest.mark.parametrize("name", MALFORMED)
def test_each_malformed_message_is_one_that_our_own_publisher_would_never_send(name: str) -> None:
    """The list above must stay malformed: a valid hint in it would prove nothing."""
    try:
        parsed = json.loads(MALFORMED[name])
        body = json.loads(base64.b64decode(parsed["body"]))
        ids = body[0][0]
        valid = parsed["headers"]["task"] == "payments.create" and "eta" not in parsed["headers"] and len(body[0]) == 1
        assert not (valid and all(isinstance(each, str) and len(each) == 30 for each in ids))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return


def test_a_worker_does_a_job_once_however_often_it_is_hinted_at_and_tells_no_secret(
    shop: House, stripe: Simulator, worker: Process
) -> None:
    job_id, payment_id = accepted(shop, customer_name="Ada Canary", customer_email="canary@example.org")
    refused, _ = accepted(shop, currency="zzz", customer_email="canary@example.org")
    for _ in range(5):
        hint(shop, job_id)
    hint(shop, refused)
    wait_until(lambda: is_done(shop, job_id), "the job is done")
    wait_until(lambda: shop.job(refused)["state"] == "refused", "the other is refused")
    wait_until(lambda: shop.depth("payments") == 0, "all hints are taken")
    assert (made(stripe, payment_id), shop.job(job_id)["fence"]) == (1, 1)
    assert worker.stop() == 0
    log = worker.log()
    assert job_id in log
    secret = stripe.client.v1.payment_intents.retrieve(shop.payment(payment_id)["stripe_id"]).client_secret
    for canary in ("Canary", "canary@", "203.0.113", "Mozilla", "First aid", "sk_test_simulator", str(secret)):
        assert canary not in log


def test_a_worker_that_is_asked_to_stop_finishes_what_it_began(shop: House, stripe: Simulator, worker: Process) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "latency", "ms": 1500, "match": INTENTS})
    hint(shop, job_id)
    wait_until(lambda: stripe.control("GET", "faults")["faults"][0]["fired"] == 1, "Stripe is being asked")
    assert worker.stop() == 0
    row = shop.job(job_id)
    assert (row["state"], row["fence"], row["rescues"]) == ("done", 1, 0)
    assert made(stripe, payment_id) == 1


def test_a_worker_killed_in_mid_call_leaves_one_payment_intent(
    shop: House, stripe: Simulator, worker: Process, variables: dict[str, str], tmp_path: Path
) -> None:
    job_id, payment_id = accepted(shop)
    stripe.faults({"do": "latency", "ms": 1500, "match": INTENTS})
    hint(shop, job_id)
    wait_until(lambda: stripe.control("GET", "faults")["faults"][0]["fired"] == 1, "Stripe is being asked")
    worker.kill()
    assert shop.job(job_id)["state"] == "running"
    with (
        running(DISPATCHER, variables, tmp_path / "dispatcher.log"),
        running(WORKER, variables, tmp_path / "second.log"),
    ):
        wait_until(lambda: is_done(shop, job_id), "another worker has done the job", within_s=30.0)
    row = shop.job(job_id)
    assert (row["fence"], row["intent_generation"]) == (2, 1)
    assert made(stripe, payment_id) == 1
    assert shop.payment(payment_id)["status"] == "requires_confirmation"
    assert [each["outcome"] for each in shop.attempts(job_id)] == ["rescued", "done"]


@pytest.mark.parametrize("arguments", [DISPATCHER, WORKER], ids=["dispatcher", "worker"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOLLGATE_STRIPE_API_KEY", None),
        ("TOLLGATE_DATABASE_URL", "sqlite://"),
        ("TOLLGATE_ENCRYPTION_KEYS", "e1:short"),
    ],
)
def test_wrong_settings_end_a_process_with_one_line_and_exit_code_78(
    arguments: tuple[str, ...], name: str, value: str | None
) -> None:
    variables = environment("postgresql://h/d", "redis://127.0.0.1:1/0", "t:", "http://127.0.0.1:1")
    variables.pop(name)
    if value is not None:
        variables[name] = value
    ended = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 78
    assert name in ended.stderr
    assert ended.stderr.count("\n") == 1
