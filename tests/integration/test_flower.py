"""Flower shows the truth to those who may see it, and nothing else to anybody."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flower.urls import handlers
from tornado.web import URLSpec

from config.celery_factory import create_celery
from config.keyspace import Keyspace
from sandbox.guarded import Guarded
from sandbox.servers import Valkey
from sandbox.servers.ports import free_port
from tests.polling import wait_until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
LOGIN = ("operator", "correct horse battery staple")
QUICKLY_S = 3.0


def job_id(letters: str) -> str:
    return "job_" + letters.ljust(26, "a")


@dataclass
class Flower:
    url: str
    process: Guarded
    log: Path
    folder: Path

    def get(self, path: str, **arguments: Any) -> requests.Response:
        return requests.request(arguments.pop("method", "GET"), self.url + path, timeout=10, **arguments)

    def tasks(self) -> Mapping[str, Mapping[str, Any]]:
        return self.get("/api/tasks", auth=LOGIN).json()


def environment(redis_url: str, prefix: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error::DeprecationWarning:asyncio,error::DeprecationWarning:tornado",
        "TOLLGATE_REDIS_URL": redis_url,
        "TOLLGATE_REDIS_PREFIX": prefix,
        "TOLLGATE_FLOWER_BASIC_AUTH": ":".join(LOGIN),
        "TOLLGATE_FLOWER_PORT": str(port),
        "TOLLGATE_LOG_FORMAT": "json",
    }


@pytest.fixture
def start_flower(tmp_path: Path) -> Iterator[Any]:
    started: list[Flower] = []

    def start(redis_url: str, prefix: str) -> Flower:
        port, folder, log = free_port(), tmp_path / "flower", tmp_path / "flower.log"
        folder.mkdir()
        with log.open("ab") as output:
            process = Guarded(
                [sys.executable, "-m", "ops.flower"],
                environment=environment(redis_url, prefix, port),
                folder=folder,
                output=output.fileno(),
            )
        flower = Flower(f"http://127.0.0.1:{port}", process, log, folder)
        started.append(flower)
        wait_until(lambda: answers(flower), f"Flower answers: {log.read_text()}")
        return flower

    yield start
    for flower in started:
        flower.process.close()


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Any]:
    started: list[Guarded] = []

    def start(redis_url: str, prefix: str) -> Guarded:
        with (tmp_path / "worker.log").open("ab") as output:
            worker = Guarded(
                [sys.executable, str(Path(__file__).with_name("flower_worker.py"))],
                environment={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "FLOWER_TEST_BROKER": redis_url,
                    "FLOWER_TEST_PREFIX": prefix,
                },
                folder=tmp_path,
                output=output.fileno(),
            )
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill9()
        worker.close()


def answers(flower: Flower) -> bool:
    assert flower.process.exit_code is None, flower.log.read_text()
    try:
        return flower.get("/").status_code == 401
    except requests.ConnectionError:
        return False


def post(redis_url: str, prefix: str, *ids: str) -> None:
    app = create_celery(broker_url=redis_url, keyspace=Keyspace(prefix))
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for each in ids:
            app.send_task(
                "payments.create",
                args=[[each]],
                kwargs={"_note": "Anna Example, anna@example.com"},
                task_id=each,
                queue="payments",
                producer=producer,
            )


def paths() -> list[str]:
    patterns = [handler.regex.pattern if isinstance(handler, URLSpec) else handler[0] for handler in handlers]
    concrete = [pattern.removesuffix("$").replace("(.+)", "x").replace("(.*)", "x") for pattern in patterns]
    return [*(path.replace("/?", "") for path in concrete if path != ".*"), "/static/css/flower.css", "/nothing/here"]


def test_every_route_asks_for_credentials_whatever_the_method(
    start_flower: Any, redis_url: str, redis_prefix: str
) -> None:
    flower = start_flower(redis_url, redis_prefix)
    assert {"/metrics", "/healthcheck", "/api/tasks", "/login", "/static/x"} <= set(paths())
    wrong = (None, ("operator", "wrong"), ("", ""), (LOGIN[0], LOGIN[1] + "x"), ("öperator", "wörds"))
    for path in paths():
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            answer = flower.get(path, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.text in {"Credentials are required.\n", ""}, (method, path)
        assert {flower.get(path, auth=login).status_code for login in wrong} == {401}, path
    for header in ("Basic", "Basic !!", "Bearer abc", "Basic " + "A" * 4000, "basic b3BlcmF0b3I="):
        assert flower.get("/metrics", headers={"Authorization": header}).status_code == 401, header


def test_with_credentials_its_pages_open_under_security_headers(
    start_flower: Any, redis_url: str, redis_prefix: str
) -> None:
    flower = start_flower(redis_url, redis_prefix)
    pages = ("/", "/workers", "/tasks", "/broker", "/metrics", "/healthcheck", "/static/css/flower.css", "/api/workers")
    for path in pages:
        answer = flower.get(path, auth=LOGIN)
        assert answer.status_code == 200, path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Server" not in answer.headers
    assert "SameSite=Strict" in flower.get("/", auth=LOGIN).headers["Set-Cookie"]
    assert flower.get("/nothing/here", auth=LOGIN).status_code == 404


def test_it_changes_nothing_for_anybody(start_flower: Any, redis_url: str, redis_prefix: str) -> None:
    flower = start_flower(redis_url, redis_prefix)
    for path in (path for path in paths() if path.startswith("/api/")):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = flower.get(path, method=method, auth=LOGIN)
            assert (answer.status_code, "tollgate command line" in answer.text) == (403, True), (method, path)


def test_it_shows_how_every_job_ended_with_its_reason_and_none_of_what_it_carries(
    start_flower: Any, start_worker: Any, redis_url: str, redis_prefix: str
) -> None:
    flower = start_flower(redis_url, redis_prefix)
    start_worker(redis_url, redis_prefix)
    wait_until(lambda: "tester@here" in flower.get("/workers?json=1", auth=LOGIN).text, "the worker is seen")
    wanted = {
        job_id("aaa"): ("SUCCESS", None),
        job_id("bbb"): ("RETRY", "Retry: waiting: Stripe was not reached"),
        job_id("ccc"): ("RETRY", "Retry: StripeUnavailableError('Stripe was not reached')"),
        job_id("ddd"): ("RETRY", "Retry: KeyError (its words are in the job's row)"),
        job_id("eee"): ("FAILURE", "StripeUnavailableError('Stripe was not reached for six hours, wrote [e-mail]')"),
        job_id("fff"): ("FAILURE", "KeyError (its words are in the job's row)"),
    }
    post(redis_url, redis_prefix, *wanted)
    seen = wait_until(
        lambda: (tasks := flower.tasks()) and ended(tasks) >= set(wanted) and tasks, "all six tasks have ended"
    )
    assert {each: (task["state"], task["exception"]) for each, task in seen.items()} == wanted
    assert {each: (task["name"], task["args"], task["kwargs"]) for each, task in seen.items()} == {
        each: ("payments.create", each, "") for each in wanted
    }
    assert seen[job_id("aaa")]["result"] == f"{job_id('aaa')}: done"
    assert "flower_worker.py" in seen[job_id("fff")]["traceback"]
    shown = "".join(
        flower.get(path, auth=LOGIN).text
        for path in ("/api/tasks", *(f"/task/{each}" for each in wanted), "/worker/tester@here", "/metrics")
    )
    assert job_id("eee") in shown
    assert "anna" not in shown.lower()


def ended(tasks: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {each for each, task in tasks.items() if task["state"] in {"SUCCESS", "RETRY", "FAILURE"}}


@pytest.mark.owns_servers
def test_it_hears_workers_again_after_redis_was_killed_and_restarted(
    start_flower: Any, start_worker: Any, owned_valkey: Valkey
) -> None:
    flower = start_flower(owned_valkey.url, "tg:")
    start_worker(owned_valkey.url, "tg:")
    wait_until(lambda: "tester@here" in flower.get("/workers?json=1", auth=LOGIN).text, "the worker is seen")
    owned_valkey.kill9()
    wait_until(lambda: "the broker is away" in flower.log.read_text(), "Flower says that the broker is away")
    assert flower.get("/tasks", auth=LOGIN).status_code == 200
    owned_valkey.start()
    start_worker(owned_valkey.url, "tg:")
    post(owned_valkey.url, "tg:", job_id("aaa"))
    wait_until(lambda: job_id("aaa") in ended(flower.tasks()), "a task after the restart is seen", 40.0)
    assert owned_valkey.password not in flower.log.read_text()


@pytest.mark.owns_servers
@pytest.mark.parametrize("state", ["well", "frozen", "dead"])
def test_it_stops_quickly_and_leaves_no_file_however_redis_is(
    start_flower: Any, owned_valkey: Valkey, state: str
) -> None:
    flower = start_flower(owned_valkey.url, "tg:")
    if state == "frozen":
        owned_valkey.freeze()
    elif state == "dead":
        owned_valkey.kill9()
    begun = time.monotonic()
    flower.process.send(signal.SIGTERM)
    assert flower.process.wait(10) == 0
    assert time.monotonic() - begun < QUICKLY_S
    assert list(flower.folder.iterdir()) == []
    assert "Traceback" not in flower.log.read_text()
    if state == "frozen":
        owned_valkey.thaw()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"TOLLGATE_FLOWER_BASIC_AUTH": ""}, "TOLLGATE_FLOWER_BASIC_AUTH"),
        ({"TOLLGATE_FLOWER_BASIC_AUTH": "operator:short"}, "TOLLGATE_FLOWER_BASIC_AUTH"),
        ({"TOLLGATE_REDIS_URL": "postgres://h/x"}, "TOLLGATE_REDIS_URL"),
    ],
)
def test_it_refuses_to_start_with_one_line_that_names_the_setting(
    change: dict[str, str], words: str, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with log.open("ab") as output:
        process = Guarded(
            [sys.executable, "-m", "ops.flower"],
            environment=environment("redis://127.0.0.1:1/0", "tg:", free_port()) | change,
            output=output.fileno(),
        )
    assert process.wait(30) == 78
    process.close()
    assert words in log.read_text()
    assert len(log.read_text().splitlines()) == 1
