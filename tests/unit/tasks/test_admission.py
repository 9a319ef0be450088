"""Admission: work begins while PostgreSQL is there and the process is not told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from config.errors import DatabaseAwayError, StoppingError
from tasks.admission import Admission
from tests.polling import wait_until
from workers.database_watch import DatabaseWatch


class Database:
    """A PostgreSQL that is there or away, as a test says."""

    def __init__(self) -> None:
        self.away = False
        self.watch = DatabaseWatch(self._probe)

    def _probe(self) -> None:
        if self.away:
            raise DatabaseAwayError

    def be(self, *, away: bool) -> None:
        self.away = away
        self.watch.probe_once()


@pytest.fixture
def database() -> Database:
    return Database()


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_work_waits_until_postgresql_is_back(database: Database) -> None:
    admission, done = Admission(database.watch), threading.Event()
    database.be(away=True)
    thread = in_thread(lambda: admission.run(done.set))
    assert not done.wait(0.1)
    database.be(away=False)
    assert done.wait(5)
    thread.join()


def test_work_that_postgresql_left_in_the_middle_is_done_again_when_it_is_back(database: Database) -> None:
    admission, tries = Admission(database.watch), []

    def work() -> str:
        tries.append(1)
        if len(tries) == 1:
            database.be(away=True)
            raise DatabaseAwayError
        return "done"

    results: list[str] = []
    thread = in_thread(lambda: results.append(admission.run(work)))
    wait_until(lambda: tries, "it was tried")
    database.be(away=False)
    thread.join()
    assert (results, len(tries)) == (["done"], 2)


def test_an_error_that_is_not_postgresqls_is_the_callers(database: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        Admission(database.watch).run(lambda: 1 / 0)


@pytest.mark.parametrize("away", [True, False])
def test_nothing_begins_once_the_process_stops_and_who_waits_is_sent_away(database: Database, *, away: bool) -> None:
    admission, sent_away = Admission(database.watch), threading.Event()
    database.be(away=away)

    def attempt() -> None:
        with pytest.raises(StoppingError):
            admission.run(lambda: pytest.fail("it began"))
        sent_away.set()

    if not away:
        admission.close()
    thread = in_thread(attempt)
    admission.close()
    assert sent_away.wait(5)
    thread.join()


def test_a_drain_waits_for_what_is_under_way_and_tells_what_still_is(database: Database) -> None:
    admission, release = Admission(database.watch), threading.Event()
    began = threading.Barrier(2)

    def work() -> None:
        began.wait()
        release.wait()

    thread = in_thread(lambda: admission.run(work))
    began.wait()
    admission.close()
    assert admission.drain(0.05) == 1
    release.set()
    assert admission.drain(5.0) == 0
    thread.join()


def test_one_line_tells_that_postgresql_went_and_one_that_it_is_back(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="tollgate.database")
    for away in (False, True, True, True, False, False):
        database.be(away=away)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
