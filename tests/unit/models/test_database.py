"""Connections: whichever form the address has, one driver, limits on everything."""

from __future__ import annotations

import pytest

from config.settings import DatabaseSettings
from models.database import create_database_engine, psycopg_url

SETTINGS = DatabaseSettings(
    url="postgres://u:p%40ss@127.0.0.1:1/x",
    pool_size=3,
    pool_timeout=0.5,
    connect_timeout=2,
    statement_timeout=5.0,
    lock_timeout=0.25,
)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_every_form_of_address_names_the_one_driver_and_keeps_the_password(scheme: str) -> None:
    assert psycopg_url(f"{scheme}://u:p%40ss@h:1/x?sslmode=require") == (
        "postgresql+psycopg2://u:p%40ss@h:1/x?sslmode=require"
    )


def test_a_connection_has_limits_and_says_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def connect(*_: object, **arguments: object) -> None:
        asked.update(arguments)
        raise RuntimeError("no server is needed")

    engine = create_database_engine(SETTINGS, "worker")
    monkeypatch.setattr(engine.dialect, "loaded_dbapi", engine.dialect.loaded_dbapi)
    monkeypatch.setattr(engine.dialect.loaded_dbapi, "connect", connect)
    with pytest.raises(RuntimeError):
        engine.connect()
    options = str(asked["options"])
    assert "-c statement_timeout=5000" in options
    assert "-c lock_timeout=250" in options
    assert "-c idle_in_transaction_session_timeout=10000" in options
    assert "-c timezone=UTC" in options
    assert asked["application_name"] == "tollgate worker"
    assert asked["connect_timeout"] == 2
    assert asked["password"] == "p@ss"


def test_an_engine_never_shows_its_password_and_never_grows_its_pool() -> None:
    engine = create_database_engine(SETTINGS, "worker")
    assert "p@ss" not in repr(engine)
    assert "p%40ss" not in repr(engine)
    assert engine.pool.size() == 3
    assert engine.pool._max_overflow == 0
