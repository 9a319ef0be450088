"""What still works while a part is away: every cell of docs/degradation.md, against the whole system.

One system goes through all outages. During each, everything in the table is tried at once; then the part comes back,
and what was promised for afterwards is waited for. The page is the expectation: each cell is a test of its own.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import shopper
from sandbox.api_client import Answer
from sandbox.servers import BinaryMissingError
from sandbox.servers.ports import HOST
from sandbox.system import System, running_system
from tests.e2e.stripe_side import CARDS
from tests.polling import wait_until

pytestmark = [pytest.mark.owns_servers, pytest.mark.xdist_group("degradation"), pytest.mark.timeout(300)]
PAGE = Path(__file__).parents[2] / "docs" / "degradation.md"
SETTINGS = {
    "TOLLGATE_STRIPE_BREAKER_FAILURES": "3",
    "TOLLGATE_STRIPE_BREAKER_RESET": "1",
    "TOLLGATE_STRIPE_READ_TIMEOUT": "3",
    "TOLLGATE_WEBSITE_CONNECT_TIMEOUT": "1",
    "TOLLGATE_WEBSITE_READ_TIMEOUT": "3",
    "TOLLGATE_JOB_LEASE_SECONDS": "6",
    "TOLLGATE_BACKOFF_BASE_SECONDS": "0.2",
    "TOLLGATE_REPUBLISH_SECONDS": "2",
    "TOLLGATE_REPAIR_SECONDS": "0.5",
}
AT_ONCE_S = 4.0  # all the time that "at once" has; most of it takes some 100 ms
NOTICED_S = 20.0
AFTERWARDS_S = 60.0
WAIT_S = 1  # of `Prefer: wait`
WORKERS = ("worker", "worker-webhooks", "worker-background", "worker-notifications", "worker-quarantine")


@dataclass(frozen=True)
class Later:
    """What is promised for afterwards: `then` tells whether it has come true."""

    now: str
    then: Callable[[], bool]
    words: str


@dataclass
class World:
    """The system, and two payments that were made while all was well."""

    system: System
    known: dict[str, Any] = field(default_factory=dict)
    known_body: dict[str, Any] = field(default_factory=dict)
    unpaid: dict[str, Any] = field(default_factory=dict)

    def prepare(self) -> None:
        self.known_body = booking()
        self.known = self.ready(self.known_body)
        self.unpaid = self.ready(booking())["payment"]

    def ready(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer about a payment whose client secret is there."""
        found: dict[str, Any] = wait_until(lambda: self.final(body), "a payment is made", within_s=AFTERWARDS_S)
        return found

    def final(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = post(self, body, wait=5)
        return answer.body if answer.status == 200 and answer.body["job"]["status"] == "done" else {}

    def paid(self) -> bool:
        answer = self.system.api.payment(self.unpaid["id"])
        return answer.status == 200 and answer.body["status"] == "paid"


def booking() -> dict[str, Any]:
    reference = secrets.token_hex(6)
    return {
        "amount": 12_500,
        "currency": "gbp",
        "booking_reference": f"D-{reference}",
        "customer": {"name": "Ada Byron", "email": f"ada.{reference}@example.org"},
        "shopper": {"ip": "192.0.2.1", "user_agent": "a browser"},
    }


def post(world: World, body: dict[str, Any], wait: int | None = None) -> Answer:
    return world.system.api.post_payment(body, body["booking_reference"], wait=wait)


def told(answer: Answer) -> str:
    """Return an answer in the page's words."""
    if answer.status >= 400:
        return f"{answer.status} `{answer.body['code']}`"
    delayed = answer.headers.get("tollgate-delayed")
    return f"{answer.status}, delayed: `{delayed}`" if delayed else f"{answer.status}"


def soon(condition: Callable[[], bool]) -> bool:
    """Tell whether it comes true at once."""
    try:
        return wait_until(condition, "it is at once", within_s=AT_ONCE_S)
    except AssertionError:
        return False


# The rows: what people do


def post_a_payment(world: World) -> str | Later:
    body = booking()
    answer = post(world, body)
    if answer.status == 202 and soon(lambda: is_done(world, answer)):
        return f"{told(answer)}; done at once"
    words = "done afterwards" if answer.status == 202 else "repeated afterwards, done"
    return Later(told(answer), lambda: bool(world.final(body)), words)


def is_done(world: World, answer: Answer) -> bool:
    shown = world.system.api.job(answer.body["job"]["id"])
    return shown.status == 200 and shown.body["status"] == "done"


def repeat_a_key(world: World) -> str:
    answer = post(world, world.known_body)
    if answer.status == 200:
        assert answer.headers["idempotent-replayed"] == "true"
        assert answer.body["payment"]["id"] == world.known["payment"]["id"]
        return "200, the same payment"
    return told(answer)


def stripes_webhook(world: World) -> str | Later:
    body = json.dumps({"id": f"evt_{secrets.token_hex(8)}", "object": "event", "type": "product.created"}).encode()

    def deliver() -> Answer:
        at = int(time.time())
        signed = hmac.new(world.system.webhook_secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={at},v1={signed}"}
        return world.system.api.ask("POST", "/v1/webhooks/stripe", headers, body)

    answer = deliver()
    if answer.status == 200:
        return "200, kept"
    return Later(told(answer), lambda: deliver().status == 200, "delivered again by Stripe, kept")


def read_a_job(world: World) -> str:
    return told(world.system.api.job(world.known["job"]["id"]))


def read_a_payment(world: World) -> str:
    return told(world.system.api.payment(world.known["payment"]["id"]))


def wait_for_it(world: World) -> str:
    began = time.monotonic()
    answer = post(world, booking(), wait=WAIT_S)
    waited = time.monotonic() - began >= WAIT_S
    return f"{told(answer)}; {'after the wait' if waited else 'before the wait is over'}"


def confirm_and_see_paid(world: World) -> str | Later:
    if not confirms(world):
        return Later("the shopper can't confirm", lambda: confirms(world) or world.paid(), "afterwards")
    return "paid at once" if soon(world.paid) else Later("paid at Stripe", world.paid, "shown afterwards")


def confirms(world: World) -> bool:
    simulator = world.system.simulator
    try:
        shopper.pay(simulator.base_url, simulator.publishable_key, world.unpaid["client_secret"], CARDS["good"])
    except (OSError, http.client.HTTPException):
        return False
    return True


def operators_command_line(world: World) -> str:
    command = [str(Path(sys.executable).parent / "tollgate"), "queue", "list"]
    done = subprocess.run(
        command,
        env=dict(world.system.environments["operator"]),
        capture_output=True,
        text=True,
        timeout=AFTERWARDS_S,
        check=False,
    )
    if done.returncode == 0:
        return "works"
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return f"exit code {done.returncode}, one line says why"


def flower(world: World) -> str:
    connection = http.client.HTTPConnection(HOST, world.system.addresses.flower_port, timeout=15)
    login = base64.b64encode(world.system.flower_login.encode()).decode()
    try:
        connection.request("GET", "/tasks", headers={"Authorization": f"Basic {login}"})
        return f"{connection.getresponse().status}"
    except OSError:
        return "does not answer"
    finally:
        connection.close()


def health(world: World) -> str:
    answer = world.system.api.ask("GET", "/health/ready")
    if answer.status != 200:
        return told(answer)
    away = [part for part in ("dispatcher", "database", "stripe") if answer.body[part] == "away"]
    return f"200 `{answer.body['status']}`" + "".join(f", {part} away" for part in away)


ROWS: Mapping[str, Callable[[World], str | Later]] = {
    "Post a payment": post_a_payment,
    "Repeat a key": repeat_a_key,
    "Stripe's webhook": stripes_webhook,
    "Read a job": read_a_job,
    "Read a payment": read_a_payment,
    "`Prefer: wait`": wait_for_it,
    "Confirm at Stripe, see `paid`": confirm_and_see_paid,
    "`tollgate queue list`": operators_command_line,
    "Flower": flower,
    "`/health/ready`": health,
}


# The columns: what is away


@dataclass(frozen=True)
class Outage:
    """How a part goes away, and comes back."""

    go: Callable[[World], object]
    back: Callable[[World], object]


def stop(*names: str) -> Callable[[World], object]:
    def go(world: World) -> None:
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(world.system.supervisor.stop, names))

    return go


def start(*names: str) -> Callable[[World], object]:
    return lambda world: [world.system.supervisor.start(name) for name in names]


def take_stripe_away(world: World) -> None:
    world.system.simulator.add_faults([{"match": {"times": None}, "do": "refuse"}])
    for _ in range(int(SETTINGS["TOLLGATE_STRIPE_BREAKER_FAILURES"]) + 1):
        post(world, booking())


OUTAGES: Mapping[str, Outage] = {
    "Redis": Outage(lambda world: world.system.valkey.kill9(), lambda world: world.system.valkey.start()),
    "PostgreSQL": Outage(lambda world: world.system.postgres.kill9(), lambda world: world.system.postgres.start()),
    "Stripe": Outage(take_stripe_away, lambda world: world.system.simulator.clear_faults()),
    "Dispatcher": Outage(stop("dispatcher"), start("dispatcher")),
    "Workers": Outage(stop(*WORKERS), start(*WORKERS)),
    "Flower": Outage(stop("flower"), start("flower")),
}


def page() -> dict[str, dict[str, str]]:
    """Return the page's table: what each row says of each outage."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    header, rows = cells[0][1:], cells[2:]
    return {outage: {row[0]: row[1 + place] for row in rows} for place, outage in enumerate(header)}


TABLE = page()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    try:
        with running_system(tmp_path_factory.mktemp("degraded") / "run", settings=SETTINGS) as system:
            system.simulator.webhooks(retry_scale=0.001)
            yield World(system)
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module", params=OUTAGES)
def outage(world: World, request: pytest.FixtureRequest) -> dict[str, str]:
    """What was seen of an outage, in the page's words, by row."""
    name: str = request.param
    world.prepare()
    OUTAGES[name].go(world)
    try:
        wait_until(
            lambda: attempted(health, world) == TABLE[name]["`/health/ready`"], "it is noticed", within_s=NOTICED_S
        )
        with ThreadPoolExecutor(len(ROWS)) as pool:
            tried = {row: pool.submit(attempted, do, world) for row, do in ROWS.items()}
        seen = {row: future.result() for row, future in tried.items()}
    finally:
        OUTAGES[name].back(world)
    return {"": name} | {row: afterwards(what) for row, what in seen.items()}


def attempted(do: Callable[[World], str | Later], world: World) -> str | Later:
    try:
        return do(world)
    except OSError as error:
        return f"no answer: {error}"


def afterwards(what: str | Later) -> str:
    if isinstance(what, str):
        return what

    def came_true() -> bool:
        try:
            return what.then()
        except OSError:
            return False

    try:
        wait_until(came_true, what.words, within_s=AFTERWARDS_S)
    except AssertionError as error:
        return f"{what.now}; {error}"
    return f"{what.now}; {what.words}"


@pytest.mark.parametrize("row", ROWS)
def test_what_is_done_during_an_outage_does_what_the_page_says(outage: dict[str, str], row: str) -> None:
    assert outage[row] == TABLE[outage[""]][row]


def test_the_page_and_these_tests_have_the_same_rows_and_columns() -> None:
    assert list(TABLE) == list(OUTAGES)
    assert {tuple(rows) for rows in TABLE.values()} == {tuple(ROWS)}
