"""Fixtures of the model: one world for a whole process, since each example makes it new in a few milliseconds."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.databases import database
from tests.model.clock import prepare_database
from tests.model.world import World


@pytest.fixture(scope="package")
def world(database_server_url: str, redis_url: str) -> Iterator[World]:
    """A database whose clock is the model's, a key prefix, and the processes that use both."""
    prefix = f"tollgate_test:{secrets.token_hex(6)}:"
    with database(database_server_url) as url:
        prepare_database(url)
        opened = World(url, redis_url, prefix)
        try:
            yield opened
        finally:
            opened.close()
