"""The web process as the Procfile starts it: settings, hostile clients, restarts."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from config.sealing import public_key_of
from ingress.server import HEADER_TIMEOUT
from sandbox.servers.ports import free_port
from tests.builders.ingress import BODY, MACS, PEPPER, SECRETS, VIEWS, Site
from tests.polling import wait_until

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
THREADS = 4
CONFIGURATION_WRONG = 78


def base64_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def environment(url: str, prefix: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "TOLLGATE_ENV": "test",
        "TOLLGATE_HOST": "127.0.0.1",
        "PORT": str(port),
        "TOLLGATE_INGRESS_THREADS": str(THREADS),
        "TOLLGATE_REDIS_URL": url,
        "TOLLGATE_REDIS_PREFIX": prefix,
        "TOLLGATE_API_KEY_PEPPER": base64_of(PEPPER),
        "TOLLGATE_IDENTITY_KEY": base64_of(b"i" * 32),
        "TOLLGATE_JOURNAL_MAC_KEYS": f"m1:{base64_of(MACS.current)}",
        "TOLLGATE_JOURNAL_PUBLIC_KEY": f"s1:{base64_of(public_key_of(b's' * 32))}",
        "TOLLGATE_VIEW_KEYS": f"v1:{base64_of(VIEWS.current)}",
        "TOLLGATE_STRIPE_WEBHOOK_SECRETS": ",".join(SECRETS),
    }


class Web:
    """A running web process and the site that uses it."""

    def __init__(self, site: Site, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self.site, self.port, self.process, self.log = site, port, process, log

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def post(self, key: str, **headers: str) -> int:
        return self.ask(
            "POST",
            "/v1/payment-intents",
            json.dumps(BODY),
            **(self.site.headers(key) | {"Content-Type": "application/json"} | headers),
        )[0]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)

    def answers(self) -> bool:
        try:
            return self.ask("GET", "/health/live")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def head(self, path: str, *lines: str) -> bytes:
        authorization = f"Authorization: Bearer {self.site.token.text}"
        start = [f"POST {path} HTTP/1.1", "Host: x", authorization, "Idempotency-Key: k"]
        return "\r\n".join([*start, "Content-Type: application/json", *lines, "", ""]).encode()


def workers(process: subprocess.Popen[bytes]) -> set[int]:
    """Return the worker processes that run; beside them there is Python's own helper for starting them."""
    found = set()
    for child in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # ended meanwhile, or a zombie
            if "spawn_main" in " ".join(child.cmdline()):
                found.add(child.pid)
    return found


@pytest.fixture
def web(redis_url: str, redis_prefix: str, tmp_path: Path) -> Iterator[Web]:
    port, log = free_port(), tmp_path / "web.log"
    site = Site(redis_url, redis_prefix)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "ingress"],
            env=environment(redis_url, redis_prefix, port),
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    web = Web(site, port, process, log)
    children: list[psutil.Process] = []
    try:
        wait_until(web.answers, "the web process answers")
        children = psutil.Process(process.pid).children(recursive=True)
        yield web
    finally:
        process.terminate()
        process.wait(20)
        psutil.wait_procs(children, timeout=10)
        assert not [child for child in children if child.is_running()]
        site.close()


def test_it_accepts_and_logs_one_json_line_each_with_its_id(web: Web) -> None:
    assert web.post("k", **{"X-Request-Id": "mine"}) == 202
    text = wait_until(lambda: web.log.read_text() if "intents 202" in web.log.read_text() else "", "the line")
    lines = [json.loads(line) for line in text.splitlines()]
    accepted, line = [line for line in lines if line.get("request_id") == "mine"]
    assert (line["message"], line["process"]) == ("POST /v1/payment-intents 202", "web")
    (entry,) = web.site.journal()
    named = {name: accepted[name] for name in ("job_id", "payment_id", "replayed")}
    assert named == {"job_id": entry.job_id, "payment_id": entry.subject_id, "replayed": False}


def test_its_own_name_does_not_stand_in_its_answers(web: Web) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=15)
    connection.request("GET", "/")
    assert "granian" not in str(connection.getresponse().headers).lower()
    connection.close()


def test_it_speaks_no_http_2(web: Web) -> None:
    with web.connect() as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        answer = client.recv(64)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")  # HTTP/2 would answer with a frame of settings
    assert web.answers()


@pytest.mark.parametrize("declared", ["Content-Length: 99999999", "Transfer-Encoding: chunked"])
def test_an_oversized_body_is_refused_before_its_end(web: Web, declared: str) -> None:
    with web.connect() as client:
        client.sendall(web.head("/v1/payment-intents", declared))
        if "chunked" in declared:
            client.sendall(b"20000\r\n" + b"x" * 0x20000 + b"\r\n")
        assert client.recv(64).startswith(b"HTTP/1.1 413")
    assert web.post("after") == 202


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(web: Web) -> None:
    for _ in range(2 * THREADS):
        with web.connect() as client:
            client.sendall(web.head("/v1/payment-intents", "Content-Length: 500") + b'{"amount":')
    assert web.post("after") == 202
    assert len(web.site.journal()) == 1


def test_slow_strangers_do_not_keep_those_with_a_key_out(web: Web) -> None:
    slow = [web.connect() for _ in range(3 * THREADS)]
    for client in slow:
        client.sendall(web.head("/v1/webhooks/stripe", "Content-Length: 500") + b"{")
    assert web.post("meanwhile") == 202
    for client in slow:
        client.close()


def test_headers_that_do_not_come_in_time_end_the_connection(web: Web) -> None:
    limit = HEADER_TIMEOUT / 1000
    with web.connect() as client:
        started = time.monotonic()
        client.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n")
        client.settimeout(limit + 3)
        while client.recv(1000):  # a word of goodbye, if there is one
            pass
        assert limit - 0.5 <= time.monotonic() - started < limit + 2
    assert web.post("meanwhile") == 202


def test_a_request_that_waits_is_finished_before_it_stops(web: Web) -> None:
    statuses: list[int] = []
    waiting = threading.Thread(target=lambda: statuses.append(web.post("k", Prefer="wait=2")))
    waiting.start()
    wait_until(web.site.journal, "the request is accepted, and waits")
    web.process.send_signal(signal.SIGTERM)
    waiting.join(10)
    assert statuses == [202]
    assert web.process.wait(10) == 0


def test_a_killed_worker_is_replaced(web: Web) -> None:
    worker = psutil.Process(*workers(web.process))
    worker.kill()
    worker.wait(10)
    wait_until(web.answers, "a new worker answers")


def test_a_worker_does_not_outlive_its_parent(web: Web) -> None:
    worker = psutil.Process(*workers(web.process))
    web.process.kill()
    web.process.wait(10)
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, "the worker ends", 10)
    assert not web.answers()


@pytest.mark.parametrize(
    ("name", "value"), [("TOLLGATE_JOURNAL_PUBLIC_KEY", None), ("TOLLGATE_REDIS_URL", "postgres://x"), ("PORT", "abc")]
)
def test_wrong_settings_end_it_with_one_line_that_names_the_variable(name: str, value: str | None) -> None:
    variables = environment("redis://127.0.0.1:1/0", "t:", free_port()) | {name: value or ""}
    if value is None:
        del variables[name]
    done = subprocess.run(
        [sys.executable, "-m", "ingress"], env=variables, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == CONFIGURATION_WRONG
    assert (done.stderr.count("\n"), name in done.stderr) == (1, True)
    assert done.stderr.startswith("Error: ")
