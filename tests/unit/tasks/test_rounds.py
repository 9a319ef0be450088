"""A dispatcher outlives whatever one round meets, and tells of its servers' absence once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis.exceptions import TimeoutError as RedisTimeout

from config.errors import DatabaseAwayError, SettingsError
from tasks.rounds import Rounds
from workers.database_watch import DatabaseWatch


def raising(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


@pytest.fixture
def rounds() -> Rounds:
    return Rounds(DatabaseWatch(lambda: None))


def test_one_round_that_fails_unexpectedly_does_not_end_it(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    assert rounds.attempt("a chore", raising(ZeroDivisionError())) is False
    assert "a chore failed unexpectedly" in caplog.text
    assert rounds.attempt("a chore", lambda: None) is True


def test_wrong_settings_do(rounds: Rounds) -> None:
    with pytest.raises(SettingsError):
        rounds.attempt("a chore", raising(SettingsError("wrong")))


def test_redis_going_and_coming_back_is_told_once_each(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="tollgate.dispatcher")
    for name in ("intake", "pulse", "intake", "views"):
        rounds.attempt(name, raising(RedisTimeout("no answer")))
    for name in ("intake", "pulse", "views", "intake"):
        rounds.attempt(name, lambda: None)
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == ["Redis is away", "Redis is back"]


def test_of_postgresqls_absence_the_watch_tells(caplog: pytest.LogCaptureFixture) -> None:
    probed: list[int] = []
    watch = DatabaseWatch(lambda: probed.append(1))
    watch.start()
    caplog.set_level("INFO", logger="tollgate.dispatcher")
    assert Rounds(watch).attempt("intake", raising(DatabaseAwayError())) is False
    watch.close()
    assert caplog.records == []
