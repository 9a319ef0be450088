"""Every process restarted in turn under steady load: nothing is lost, nothing is made twice, nobody is answered 5xx."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy

from models.database import psycopg_url
from sandbox.api_client import Answer
from sandbox.system import WORKERS, System
from tests.e2e.conftest import Website
from tests.polling import wait_until

pytestmark = [pytest.mark.owns_servers, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]
PAUSE_S = 0.15  # between two requests of one client: steady, and no test of speed
WAIT_S = 5
MORE = 6  # answers after each restart, so that all of it goes on before the next one
CALL = {"method": "POST", "path": "/v1/payment_intents$", "times": 10_000}


@dataclass
class Load:
    """Clients that go on until told otherwise, and what they were answered."""

    website: Website
    answers: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, str] = field(default_factory=dict)
    paid: list[str] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        clients = (self.post, self.post_and_wait, self.pay, self.read)
        threads = [threading.Thread(target=self._repeat, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def post(self) -> None:
        self._posted("post", self.website.post(wait=None))

    def post_and_wait(self) -> None:
        self._posted("wait", self.website.post(wait=WAIT_S))

    def pay(self) -> None:
        """Pay a payment that is ready, so that webhooks come all the while."""
        answer = self.website.post(wait=WAIT_S)
        self._posted("wait", answer)
        payment = answer.body.get("payment") or {}
        if payment.get("client_secret"):
            assert self.website.stripe.pay(payment, "good") == "succeeded"
            self.paid.append(payment["id"])

    def read(self) -> None:
        self._note("ready", self.website.system.api.ask("GET", "/health/ready"))
        for payment_id in list(self.accepted)[-3:]:
            self._note("read", self.website.system.api.payment(payment_id))

    def _repeat(self, client: Callable[[], None]) -> None:
        while not self._over.wait(PAUSE_S):
            try:
                client()
            except OSError as error:
                self.answers[f"{client.__name__} {type(error).__name__}"] += 1

    def _posted(self, what: str, answer: Answer) -> None:
        self._note(what, answer)
        if answer.status in {200, 202}:
            self.accepted[answer.body["payment"]["id"]] = answer.body["job"]["id"]

    def _note(self, what: str, answer: Answer) -> None:
        self.answers[f"{what} {answer.status}"] += 1


def rescues(system: System) -> int:
    engine = sqlalchemy.create_engine(psycopg_url(system.addresses.database_url))
    try:
        with engine.connect() as connection:
            return int(connection.scalar(sqlalchemy.text("SELECT COALESCE(sum(rescues), 0) FROM jobs")))
    finally:
        engine.dispose()


def roll(system: System, name: str) -> None:
    if name != "web":
        system.supervisor.restart(name)
        return
    (parent, *before) = system.supervisor.pids("web")
    system.supervisor.reload("web")
    wait_until(lambda: len(before) > 0 and set(before[1:]).isdisjoint(system.supervisor.pids("web")), "a new worker")
    assert system.supervisor.pids("web")[0] == parent


def exits(system: System, name: str) -> list[str]:
    """Return the lines of a process's log that are no JSON."""
    lines = (system.folder / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
    return [line for line in lines if not line.startswith("{")]


def test_every_process_is_restarted_under_load_and_nobody_notices(simulated_website: Website) -> None:
    system = simulated_website.system
    before = rescues(system)
    system.simulator.add_faults([{"do": "latency", "ms": 300, "match": CALL}])  # so that calls are under way
    load = Load(simulated_website)
    names = ["web", "dispatcher", *WORKERS, "flower", "web"]
    try:
        with load.going_on():
            wait_until(lambda: len(load.paid) >= 2, "the load goes on", within_s=30.0)
            for name in names:
                done = load.answers.total()
                roll(system, name)
                wait_until(lambda done=done: load.answers.total() >= done + MORE, f"all goes on after {name}")  # type: ignore[misc]  # mypy can't infer a lambda with a default
    finally:
        system.simulator.clear_faults()
    for payment_id in load.accepted:
        simulated_website.until(payment_id, "paid" if payment_id in load.paid else "requires_confirmation")
    assert {answer for answer in load.answers if answer.split()[1] not in {"200", "202"}} == set(), load.answers
    intents: list[dict[str, Any]] = system.simulator.ledger()["payment_intents"]
    made = Counter(str(intent["operation"]).partition("/")[0] for intent in intents)
    assert {payment_id: made[payment_id] for payment_id in load.accepted} == dict.fromkeys(load.accepted, 1)
    assert rescues(system) == before
    for name in (*WORKERS, "web", "dispatcher"):
        assert exits(system, name) == [], name
    print(f"\nrolling restart: {dict(load.answers)}, {len(load.accepted)} accepted, {len(load.paid)} paid")
