"""The stage of these tests: one for all of a module, cleared before each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.builders.actors import Actors, acting
from tests.builders.simulator import Simulator, running
from tests.chaos.stage import Stage, staged
from tests.databases import database


@pytest.fixture(scope="module")
def actors() -> Iterator[Actors]:
    with acting() as started:
        yield started


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def one_stage(
    database_server_url: str, migrated_template: str, redis_url: str, simulator: Simulator, actors: Actors
) -> Iterator[Stage]:
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    with (
        database(database_server_url, migrated_template) as url,
        staged(url, redis_url, prefix, simulator, actors) as opened,
    ):
        yield opened
        opened.clear()
        opened.house.runtime.redis.delete(*opened.house.runtime.redis.keys(f"{prefix}*"))


@pytest.fixture
def stage(one_stage: Stage) -> Stage:
    one_stage.clear()
    return one_stage
