"""One of the processes that `make model` runs side by side, each in a world of its own on shared servers."""

from __future__ import annotations

import traceback

from tests.databases import PREFIX, execute, new_name, url_of
from tests.model.clock import prepare_database
from tests.model.focus import Focus, Tally
from tests.model.run import run_example
from tests.model.world import World

_worlds: list[World] = []  # the one of this process, made when it starts


def open_world(database_server_url: str, redis_url: str) -> None:
    """Open this process' world; it ends with the servers."""
    name = new_name()
    execute(database_server_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = url_of(database_server_url, name)
    prepare_database(url)
    _worlds.append(World(url, redis_url, f"{name.removeprefix(PREFIX)}:"))


def run_seed(seed: int) -> Tally | str:
    """Return what was done, or what was found."""
    tally = Tally()
    try:
        run_example(_worlds[0], Focus(), seed, tally=tally)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told in words, since not every error can be sent
        return "".join(traceback.format_exception(error))
    return tally
