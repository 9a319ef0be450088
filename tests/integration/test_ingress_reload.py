"""The web process takes new code and new settings without a gap: nobody is refused, dropped or answered 5xx."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.servers.ports import free_port
from tests.builders.ingress import BODY, Site
from tests.integration.test_ingress_server import ROOT, Web, environment, workers
from tests.polling import wait_until

pytestmark = pytest.mark.servers
# What systemd does for a service with a socket unit.
PASS_ON = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "ingress"])
"""
CLIENTS = 4
ENOUGH = 40  # answers of each client before, while and after


class Load:
    """Clients that post and read without a pause, each over one connection for as long as it lasts.

    Args:
        seen: how often each status was answered, and each error met.
        reopened: how often a kept connection was found closed, which its client was told or could see at once.
    """

    def __init__(self, site: Site, port: int) -> None:
        self.seen: Counter[str] = Counter()
        self.reopened = 0
        self._site, self._port = site, port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(number,)) for number in range(CLIENTS)]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def wait_for_more(self) -> None:
        before = self.seen.total()
        wait_until(lambda: self.seen.total() >= before + CLIENTS * ENOUGH, "the clients go on")

    def _go_on(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        requests = 0
        while not self._over.is_set():
            requests += 1
            kept = connection.sock is not None
            try:
                status = str(self._ask(connection, f"client-{number}-{requests}", requests))
            except OSError as error:  # http.client.RemoteDisconnected among them
                connection.close()
                # A kept connection may be closed at any time: a client opens another (RFC 9112, section 9.3.1).
                if kept and isinstance(error, ConnectionError):
                    self.reopened += 1
                    continue
                status = type(error).__name__
            self.seen[status] += 1
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, key: str, requests: int) -> int:
        if requests % 3 == 0:
            connection.request("GET", "/health/ready")
        else:
            prefer = {"Prefer": "wait=1"} if requests % 20 == 1 else {}
            headers = self._site.headers(key) | {"Content-Type": "application/json"} | prefer
            connection.request("POST", "/v1/payment-intents", json.dumps(BODY), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def start(command: list[str], variables: dict[str, str], log: Path, *descriptors: int) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=variables, cwd=ROOT, stdout=output, stderr=output, pass_fds=descriptors)


def stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        process.wait(20)


@pytest.fixture
def shadows(tmp_path: Path) -> Path:
    """A folder in front of the installed packages, to break one in."""
    folder = tmp_path / "shadows"
    folder.mkdir()
    return folder


@pytest.fixture
def web(site: Site, redis_url: str, redis_prefix: str, shadows: Path, tmp_path: Path) -> Iterator[Web]:
    port, log = free_port(), tmp_path / "web.log"
    variables = environment(redis_url, redis_prefix, port) | {
        "TOLLGATE_INGRESS_THREADS": "16",
        "PYTHONPATH": str(shadows),
    }
    process = start([sys.executable, "-m", "ingress"], variables, log)
    web = Web(site, port, process, log)
    try:
        wait_until(web.answers, "the web process answers")
        yield web
    finally:
        stop(process)


def test_a_reload_under_load_drops_nothing(web: Web) -> None:
    load = Load(web.site, web.port)
    with load.going_on():
        for _ in range(2):
            before = workers(web.process)
            load.wait_for_more()
            web.process.send_signal(signal.SIGHUP)
            wait_until(lambda before=before: workers(web.process).isdisjoint(before), "another worker serves")  # type: ignore[misc]  # mypy can't infer a lambda with a default
            load.wait_for_more()
    assert set(load.seen) == {"200", "202"}, load.seen
    posted = sum(1 for _ in web.site.journal())
    assert posted == load.seen["202"] or posted == load.seen["202"] + load.reopened  # a lost answer's post is kept
    assert web.process.poll() is None


def test_code_that_does_not_start_is_not_taken(web: Web, shadows: Path) -> None:
    before = workers(web.process)
    (shadows / "marshmallow.py").write_text("raise ImportError('a broken release')\n")
    web.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "do not start any more" in web.log.read_text(), "it refuses the new code")
    assert workers(web.process) == before
    assert web.post("still here") == 202
    (shadows / "marshmallow.py").unlink()
    web.process.send_signal(signal.SIGHUP)
    wait_until(lambda: workers(web.process).isdisjoint(before), "the mended code is taken")
    assert web.post("afterwards") == 202
    web.process.send_signal(signal.SIGTERM)
    assert web.process.wait(20) == 0


def test_on_a_socket_that_is_passed_on_new_settings_take_over_without_a_gap(
    site: Site, redis_url: str, redis_prefix: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as shared:
        port, number = shared.getsockname()[1], shared.fileno()
        command = [sys.executable, "-c", PASS_ON, str(number)]
        variables = environment(redis_url, redis_prefix, 1)  # nobody may listen on port 1: the socket counts
        old = start(command, variables, tmp_path / "old.log", number)
        new: subprocess.Popen[bytes] | None = None
        try:
            load = Load(site, port)
            wait_until(Web(site, port, old, tmp_path / "old.log").answers, "the old one answers")
            with load.going_on():
                load.wait_for_more()
                changed = variables | {"TOLLGATE_LOG_LEVEL": "ERROR", "TOLLGATE_INGRESS_THREADS": "8"}
                new = start(command, changed, tmp_path / "new.log", number)
                wait_until(lambda: new is not None and workers(new), "the new one has a worker")
                load.wait_for_more()
                old.send_signal(signal.SIGTERM)
                assert old.wait(20) == 0
                load.wait_for_more()
            assert set(load.seen) == {"200", "202"}, load.seen
            assert new.poll() is None
        finally:
            stop(old)
            if new is not None:
                stop(new)


def test_connections_wait_while_there_is_no_worker_and_are_then_answered(web: Web) -> None:
    (worker,) = workers(web.process)
    os.kill(worker, signal.SIGKILL)
    assert web.ask("GET", "/health/live")[0] == 200
