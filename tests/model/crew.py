"""The processes that `make model` runs side by side, each in a world of its own on shared servers."""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context

from tests.databases import PREFIX, execute, new_name, url_of
from tests.model.clock import prepare_database
from tests.model.focus import Focus, Tally
from tests.model.run import run_example
from tests.model.world import World

AHEAD = 2  # seeds under way or waiting, for each process
Found = Tally | str  # what was done, or the fault in words
_worlds: list[World] = []  # the one of this process, made when it starts


def run_seeds(first: int, examples: int, processes: int, servers: tuple[str, str]) -> Iterator[Found]:
    """Return what is found from one seed after another, in their order, for as long as anybody asks.

    Args:
        first: the first seed.
        examples: of each seed.
        processes: how many work at once.
        servers: a PostgreSQL in which each makes a database of its own, and a Redis in which each has a prefix.
    """
    pool = ProcessPoolExecutor(processes, get_context("spawn"), initializer=_open_world, initargs=servers)
    under_way: deque[Future[Found]] = deque()
    try:
        for seed in count(first):
            under_way.append(pool.submit(_run_seed, seed, examples))
            if len(under_way) == AHEAD * processes:
                yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _open_world(database_server_url: str, redis_url: str) -> None:
    """Open this process' world; it ends with the servers."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C needs one traceback, if any
    name = new_name()
    execute(database_server_url, f'CREATE DATABASE "{name}" TEMPLATE template0')
    url = url_of(database_server_url, name)
    prepare_database(url)
    _worlds.append(World(url, redis_url, f"{name.removeprefix(PREFIX)}:"))


def _run_seed(seed: int, examples: int) -> Found:
    tally = Tally()
    try:
        run_example(_worlds[0], Focus(), seed, examples=examples, tally=tally)
    except Exception as error:  # noqa: BLE001 - whatever went wrong is told in words, since not every error can be sent
        return "".join(traceback.format_exception(error))
    return tally
