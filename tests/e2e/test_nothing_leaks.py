"""Nothing leaks: canaries are looked for wherever Tollgate writes."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
import sqlalchemy
from sqlalchemy.pool import NullPool

from models.database import psycopg_url
from sandbox.system import System
from tests.e2e.conftest import Website

pytestmark = [pytest.mark.owns_servers, pytest.mark.xdist_group("system"), pytest.mark.timeout(300)]
CANARIES = (
    "Canary-Name",
    "canary@example.org",
    "198.51.100.77",
    "canary-agent",
    "canary-words",
    "canary-note",
    "canary-attended",
)


def redis_texts(url: str) -> Iterator[bytes]:
    """Every key, and everything that lies under it."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter():
            yield key
            match client.type(key):
                case b"string":
                    yield client.get(key) or b""
                case b"hash":
                    yield from (part for pair in client.hgetall(key).items() for part in pair)
                case b"list":
                    yield from client.lrange(key, 0, -1)
                case b"set":
                    yield from client.smembers(key)
                case b"zset":
                    yield from client.zrange(key, 0, -1)
                case b"stream":
                    for _, fields in client.xrange(key):
                        yield from (part for pair in fields.items() for part in pair)


def database_texts(url: str) -> Iterator[bytes]:
    """Every row of every table, as a dump shows it, and sealed columns as their bytes."""
    engine = sqlalchemy.create_engine(psycopg_url(url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            for table in sqlalchemy.inspect(engine).get_table_names():
                for row in connection.execute(
                    sqlalchemy.select(sqlalchemy.text("*")).select_from(sqlalchemy.table(table))
                ):
                    yield from (bytes(cell) if isinstance(cell, memoryview) else str(cell).encode() for cell in row)
    finally:
        engine.dispose()


def flower_texts(system: System) -> Iterator[bytes]:
    login = base64.b64encode(system.flower_login.encode()).decode()
    for path in ("/api/tasks", "/tasks", "/workers", "/broker"):
        connection = http.client.HTTPConnection(urlsplit(system.flower_url).netloc, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        yield connection.getresponse().read()
        connection.close()


def log_texts(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*.log"):
        if path.name != "simulator.log":  # the simulator is Stripe's side: it may know names
            yield path.read_bytes()


def found(canary: bytes, texts: Iterator[bytes]) -> list[bytes]:
    forms = (canary, base64.b64encode(canary)[:-4], canary.hex().encode())
    return [text[:200] for text in texts if any(form in text for form in forms)]


@pytest.fixture
def canaries(simulated_website: Website) -> list[bytes]:
    """A payment full of canaries, made, declined, paid and proved; returns all that must be found nowhere."""
    body = simulated_website.booking(
        customer={"name": "Canary-Name", "email": "canary@example.org"},
        shopper={"ip": "198.51.100.77", "user_agent": "canary-agent"},
        description="canary-words",
        metadata={"note": "canary-note"},
    )
    payment = simulated_website.ready_payment(body)
    simulated_website.stripe.pay(payment, "no_funds")
    simulated_website.until(payment["id"], "declined")
    simulated_website.stripe.pay(payment, "good")
    simulated_website.until(payment["id"], "paid")
    evidence = {"access_activity_log": "09:02 canary-attended\n16:55 canary-attended"}
    kept = simulated_website.system.api.operate(payment["id"], "evidence", evidence, "canary-evidence", wait=10)
    assert kept.body["job"]["status"] == "done", kept
    secrets = (payment["client_secret"], simulated_website.system.api.key)
    return [canary.encode() for canary in (*CANARIES, *secrets)]


def test_no_canary_is_readable_in_redis_database_logs_or_flower(
    simulated_website: Website, canaries: list[bytes]
) -> None:
    system = simulated_website.system
    places = {
        "redis": lambda: redis_texts(system.addresses.redis_url),
        "database": lambda: database_texts(system.addresses.database_url),
        "logs": lambda: log_texts(system.folder),
        "flower": lambda: flower_texts(system),
    }
    leaks = {(place, canary): found(canary, texts()) for place, texts in places.items() for canary in canaries}
    assert {where: what for where, what in leaks.items() if what} == {}


def test_the_search_for_canaries_finds_what_is_there(simulated_website: Website, canaries: list[bytes]) -> None:
    system = simulated_website.system
    assert canaries
    assert found(b"view:pay_", redis_texts(system.addresses.redis_url))
    assert found(b"requires_confirmation", database_texts(system.addresses.database_url))
    assert found(b"journal taken in", log_texts(system.folder))
    assert found(b"payments.create", flower_texts(system))
