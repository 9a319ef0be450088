"""Fixtures of the integration tests: the dispatcher's and workers' side over real servers, and a shared simulator."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.builders.entries import new_key
from tests.builders.house import House, open_house
from tests.builders.ingress import Site
from tests.builders.simulator import Simulator, running
from tests.databases import database


@pytest.fixture
def house(database_url: str, redis_url: str, redis_prefix: str) -> Iterator[House]:
    """Runtime, queues and journal of this test alone; nobody stands in for Stripe."""
    with open_house(database_url, redis_url, redis_prefix) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared_house(database_server_url: str, migrated_template: str, redis_url: str) -> Iterator[House]:
    """One house for the many small tests of a module that look at their own job alone."""
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    with database(database_server_url, migrated_template) as url, open_house(url, redis_url, prefix) as opened:
        yield opened
        for key in opened.runtime.redis.scan_iter(match=f"{prefix}*"):
            opened.runtime.redis.delete(key)


@pytest.fixture(scope="module")
def shared_shop(
    database_server_url: str, migrated_template: str, redis_url: str, shared_simulator: Simulator
) -> Iterator[House]:
    """One house with the shared simulator as its Stripe, for tests that look at what is their own alone."""
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    with (
        database(database_server_url, migrated_template) as url,
        open_house(url, redis_url, prefix, shared_simulator.url) as opened,
    ):
        yield opened
        for key in opened.runtime.redis.scan_iter(match=f"{prefix}*"):
            opened.runtime.redis.delete(key)


@pytest.fixture
def own_simulator() -> Iterator[Simulator]:
    """A simulator of this test's own, whose clock may move, and which has nobody to tell."""
    with running() as process:
        yield process


@pytest.fixture(scope="module")
def modules_simulator() -> Iterator[Simulator]:
    """A simulator that the tests of one module share."""
    with running() as process:
        yield process


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[Simulator]:
    """A simulator for tests that make objects of their own and never move its clock."""
    with running() as process:
        yield process


@pytest.fixture
def stripe(shared_simulator: Simulator) -> Iterator[Simulator]:
    """The shared simulator without faults, before and after."""
    shared_simulator.control("DELETE", "faults")
    yield shared_simulator
    shared_simulator.control("DELETE", "faults")


@pytest.fixture
def shop(database_url: str, redis_url: str, redis_prefix: str, stripe: Simulator) -> Iterator[House]:
    """The house with the simulator as its Stripe."""
    with open_house(database_url, redis_url, redis_prefix, stripe.url) as opened:
        yield opened


@pytest.fixture
def site(redis_url: str, redis_prefix: str) -> Iterator[Site]:
    """The website's server, before an ingress of its own."""
    site = Site(redis_url, redis_prefix)
    yield site
    site.close()


@pytest.fixture
def posted(site: Site) -> str:
    """Return the id of a payment that was accepted."""
    answer = site.post(key=new_key())
    assert answer.json is not None
    return str(answer.json["payment"]["id"])
