"""The dispatcher as a real process: its death loses nothing, and it outlives its servers' troubles."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.servers import Postgres, Valkey
from tests.builders.entries import new_key, payment_entry
from tests.builders.house import House, open_house
from tests.builders.processes import DISPATCHER, Process, environment, running
from tests.polling import wait_until

NOTICED_S = 4.0  # half a second between probes, two seconds for one, and a loaded machine
AWAY_S = 3.0
FROZEN_S = 2.5  # longer than every time limit that the dispatcher has for Redis


@contextmanager
def dispatching(house: House, log: Path) -> Iterator[Process]:
    settings = house.runtime.settings
    variables = environment(
        settings.database.url,
        settings.redis.url,
        house.keyspace.prefix,
        "http://127.0.0.1:1",
        TOLLGATE_LOG_LEVEL="INFO",
    )
    with running(DISPATCHER, variables, log) as process:
        yield process


@pytest.fixture
def own_house(owned_database_url: str, owned_valkey: Valkey) -> Iterator[House]:
    with open_house(owned_database_url, owned_valkey.url, "own:") as opened:
        yield opened


def rows(house: House) -> int:
    return int(house.one("SELECT count(*) AS n FROM jobs WHERE client_id <> 'tollgate'")["n"])


def settled(condition: Callable[[], bool]) -> Callable[[], bool]:
    """Take trouble with a server for 'not yet'."""

    def check() -> bool:
        try:
            return condition()
        except Exception:  # noqa: BLE001 - the servers are in trouble on purpose
            return False

    return check


@pytest.mark.servers
def test_it_takes_the_journal_in_publishes_shows_and_gives_a_sign_of_life(house: House, tmp_path: Path) -> None:
    entries = [payment_entry() for _ in range(30)]
    house.post(*entries)
    with dispatching(house, tmp_path / "log") as process:
        wait_until(lambda: rows(house) == 30, "all is taken in")
        wait_until(lambda: house.depth("payments") == 30, "all is hinted at")
        wait_until(lambda: house.pending() == 0, "all is acknowledged")
        wait_until(lambda: house.view_fields(house.keyspace.view(entries[0].job_id)), "a view is shown")
        assert house.runtime.redis.exists(house.keyspace.dispatcher_pulse)
        assert house.runtime.redis.get(house.keyspace.epoch) == b"1"
        assert process.stop() == 0
    assert house.depth("payments") == 30
    assert "Traceback" not in process.log()


@pytest.mark.servers
def test_killed_again_and_again_it_loses_nothing_and_doubles_nothing(house: House, tmp_path: Path) -> None:
    keys = [new_key() for _ in range(120)]
    for round_number in range(4):
        posted = keys[round_number * 30 : (round_number + 1) * 30]
        with dispatching(house, tmp_path / "log") as process:
            wait_until(lambda: "takes the journal in" in process.log(), "it was at work at least once")
            before = rows(house)
            house.post(*(payment_entry(key) for key in posted))
            wait_until(lambda before=before: rows(house) > before, "some of it is taken in")  # type: ignore[misc]  # mypy can't infer a lambda with a default
            process.kill()
    with dispatching(house, tmp_path / "log"):
        wait_until(lambda: rows(house) == 120 and house.pending() == 0, "everything is taken in and acknowledged")
        # A hint that died with its sender is known to be lost only once its queue moves.
        claimed: list[str] = []
        wait_until(lambda: len(consume(house, claimed)) == 120, "every job was hinted at and claimed")
    assert len(set(claimed)) == 120


def consume(house: House, claimed: list[str]) -> list[str]:
    """Take every hint as workers do, and note what could be claimed by them."""
    ids = [job_id for hinted in house.hinted("payments") for job_id in hinted]
    house.drop_messages("payments")
    if ids:
        claimed += [job.id for job in house.claim(*ids, lease=60.0)]
    return claimed


def all_jobs(house: House) -> set[str]:
    return {row["id"] for row in house.sql("SELECT id FROM jobs WHERE client_id <> 'tollgate'")}


@pytest.mark.servers
def test_hints_that_redis_lost_are_sent_again(house: House, tmp_path: Path) -> None:
    house.post(payment_entry())
    with dispatching(house, tmp_path / "log"):
        wait_until(lambda: house.depth("payments") == 1, "the hint is sent")
        house.drop_messages("payments")
        wait_until(lambda: house.depth("payments") == 1, "the hint is sent again", within_s=10.0)


@pytest.mark.servers
def test_a_job_whose_worker_died_is_rescued_and_hinted_at_again(house: House, tmp_path: Path) -> None:
    entry = payment_entry()
    house.take_in(entry)
    house.claim(entry.job_id, lease=0.5)
    with dispatching(house, tmp_path / "log"):
        wait_until(lambda: house.hinted("payments") == [[entry.job_id]], "it is hinted at", within_s=10.0)
    assert house.job(entry.job_id)["rescues"] == 1


@pytest.mark.owns_servers
def test_it_goes_on_by_itself_when_redis_thaws(own_house: House, owned_valkey: Valkey, tmp_path: Path) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        own_house.post(payment_entry())
        wait_until(lambda: own_house.depth("payments") == 1, "the first is hinted at")
        owned_valkey.freeze()
        frozen = time.monotonic()
        wait_until(lambda: time.monotonic() - frozen > FROZEN_S, "Redis has been frozen for a while")
        owned_valkey.thaw()
        own_house.post(payment_entry())
        wait_until(settled(lambda: own_house.depth("payments") >= 2), "the second is hinted at")
        wait_until(settled(lambda: own_house.pending() == 0), "all is acknowledged")
        assert process.popen.poll() is None
        assert process.stop() == 0
    assert rows(own_house) == 2


@pytest.mark.owns_servers
def test_it_goes_on_by_itself_when_redis_is_back_from_a_kill(
    own_house: House, owned_valkey: Valkey, tmp_path: Path
) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        own_house.post(payment_entry())
        wait_until(lambda: own_house.depth("payments") == 1, "the first is hinted at")
        owned_valkey.kill9()
        own_house.take_in(payment_entry())
        own_house.sql("UPDATE jobs SET published_at = NULL")
        owned_valkey.start()
        wait_until(settled(lambda: own_house.post(payment_entry()) != []), "Redis takes entries again")
        wait_until(settled(lambda: rows(own_house) >= 3), "the journal is taken in")
        wait_until(
            settled(lambda: {ids[0] for ids in own_house.hinted("payments")} >= all_jobs(own_house)),
            "all are hinted at",
        )
        assert process.popen.poll() is None


@pytest.mark.owns_servers
def test_it_goes_on_by_itself_when_postgresql_is_back_from_an_immediate_stop(
    own_house: House, owned_postgres: Postgres, tmp_path: Path
) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        owned_postgres.kill9()
        own_house.post(*(payment_entry() for _ in range(20)))
        wait_until(lambda: "PostgreSQL is away" in process.log(), "it noticed")
        owned_postgres.start()
        wait_until(settled(lambda: rows(own_house) == 20), "all is taken in", within_s=30.0)
        wait_until(settled(lambda: own_house.pending() == 0), "all is acknowledged")
        assert process.popen.poll() is None
        assert process.stop() == 0
    assert own_house.depth("payments") >= 20


@pytest.mark.owns_servers
def test_it_stops_when_asked_even_while_both_its_servers_are_away(
    own_house: House, owned_valkey: Valkey, owned_postgres: Postgres, tmp_path: Path
) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        owned_valkey.kill9()
        owned_postgres.kill9()
        wait_until(lambda: "Redis is away" in process.log(), "it noticed")
        wait_until(lambda: "PostgreSQL is away" in process.log(), "it noticed that too")
        assert process.stop() == 0


@pytest.mark.owns_servers
@pytest.mark.parametrize("trouble", ["frozen", "killed"])
def test_it_reads_no_entry_while_postgresql_is_away_and_says_so_once(
    own_house: House, owned_postgres: Postgres, tmp_path: Path, trouble: str
) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        owned_postgres.freeze() if trouble == "frozen" else owned_postgres.kill9()
        wait_until(lambda: "PostgreSQL is away" in process.log(), "it noticed", within_s=NOTICED_S)
        wait_until(lambda: not reads(own_house), "its last read is over")
        own_house.post(*(payment_entry() for _ in range(20)))
        pulse = own_house.runtime.redis.get(own_house.keyspace.dispatcher_pulse)
        since = time.monotonic()
        wait_until(lambda: time.monotonic() - since > AWAY_S, "PostgreSQL has been away for a while")
        assert own_house.pending() == 0
        assert own_house.runtime.redis.get(own_house.keyspace.dispatcher_pulse) != pulse  # it lives, and shows that
        owned_postgres.thaw() if trouble == "frozen" else owned_postgres.start()
        back = time.monotonic()
        wait_until(settled(lambda: rows(own_house) == 20), "all is taken in", within_s=5.0)
        assert time.monotonic() - back < 5.0
        wait_until(lambda: own_house.pending() == 0, "all is acknowledged")
        assert process.stop() == 0
    lines = [json.loads(line)["message"] for line in process.log().splitlines()]
    assert [sum(words in line for line in lines) for words in ("PostgreSQL is away", "PostgreSQL is back")] == [1, 1]


def reads(house: House) -> bool:
    """Tell whether somebody waits at Redis for entries of the journal."""
    return any(client["cmd"] == "xreadgroup" and "b" in client["flags"] for client in house.runtime.redis.client_list())


@pytest.mark.owns_servers
def test_a_second_signal_ends_it_at_once(own_house: House, owned_valkey: Valkey, tmp_path: Path) -> None:
    with dispatching(own_house, tmp_path / "log") as process:
        wait_until(lambda: "takes the journal in" in process.log(), "it is at work")
        owned_valkey.freeze()
        try:
            process.popen.send_signal(signal.SIGTERM)
            process.popen.send_signal(signal.SIGINT)
            assert process.popen.wait(5) in {0, 128 + signal.SIGTERM, 128 + signal.SIGINT}
        finally:
            owned_valkey.thaw()
