"""The embedded servers: real ones, that come up anywhere and leave nothing behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import redis
import sqlalchemy
from sqlalchemy.pool import NullPool

from sandbox.guarded import Identity
from sandbox.servers import Postgres, ServerNotStartedError, Valkey, server, with_postgres, with_valkey
from sandbox.servers.postgres import SHARED_MEMORY_LINE, ServerRunningError
from tests.children import child
from tests.polling import wait_until

pytestmark = pytest.mark.owns_servers

IPC_STAT = 2
AS_ROOT = os.geteuid() == 0


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(url).set(drivername="postgresql+psycopg2"),
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args={"connect_timeout": 2},
    )
    try:
        with engine.connect() as connection:
            result = connection.execute(sqlalchemy.text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


def segment_of(postgres: Postgres) -> int:
    return int(postgres._pid_file()[SHARED_MEMORY_LINE].split()[1])


def segment_exists(segment: int) -> bool:
    return bool(ctypes.CDLL(None).shmctl(segment, IPC_STAT, ctypes.create_string_buffer(512)) == 0)


def everything_below(pids: list[int]) -> list[psutil.Process]:
    return [child for pid in pids for child in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True))]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() for process in processes)


def test_valkey_fsyncs_every_write_and_never_evicts(owned_valkey: Valkey) -> None:
    with owned_valkey.client() as client:
        settings = client.config_get("append*")
        assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_valkey_keeps_every_answered_write_and_its_port_through_kill_9(owned_valkey: Valkey) -> None:
    port = owned_valkey.port
    with owned_valkey.client() as client:
        for number in range(100):
            client.set(f"key:{number}", number)
    owned_valkey.kill9()
    assert not owned_valkey.running
    owned_valkey.start()
    assert owned_valkey.port == port
    with owned_valkey.client() as client:
        assert client.dbsize() == 100


def test_valkey_asks_for_its_password_and_shows_it_to_no_other_user(owned_valkey: Valkey) -> None:
    with redis.Redis(port=owned_valkey.port) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert owned_valkey.password is not None
    assert owned_valkey.password not in " ".join(psutil.Process(owned_valkey.pid).cmdline())
    assert (owned_valkey.folder / "valkey.conf").stat().st_mode & 0o077 == 0


def test_valkey_takes_its_users_from_an_acl_file(tmp_path: Path) -> None:
    acl = tmp_path / "users.acl"
    acl.write_text("user default off\nuser door on >secret ~door:* +get +set +ping\n")
    with (
        with_valkey(tmp_path / "data", acl_file=acl) as valkey,
        redis.Redis(port=valkey.port, username="door", password="secret") as client,
    ):
        client.set("door:1", "open")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.set("other", "shut")


def test_a_frozen_valkey_does_not_answer_and_goes_on_when_thawed(owned_valkey: Valkey) -> None:
    with owned_valkey.client() as client:
        client.set("key", "value")
        owned_valkey.freeze()
        with pytest.raises(redis.TimeoutError):
            client.get("key")
        owned_valkey.thaw()
        assert client.get("key") == b"value"


def test_a_frozen_server_can_be_stopped(owned_valkey: Valkey) -> None:
    owned_valkey.freeze()
    owned_valkey.stop()
    assert not owned_valkey.running


@pytest.mark.parametrize(
    "end", [Postgres.kill9, Postgres.stop_immediately, Postgres.stop], ids=["kill9", "immediate", "fast"]
)
def test_postgres_keeps_every_commit_and_its_port_through_any_end(
    owned_postgres: Postgres, end: Callable[[Postgres], None]
) -> None:
    port = owned_postgres.port
    query(owned_postgres.url, "CREATE TABLE kept AS SELECT generate_series(1, 100) AS number")
    end(owned_postgres)
    assert not owned_postgres.running
    owned_postgres.start()
    assert owned_postgres.port == port
    assert query(owned_postgres.url, "SELECT count(*) FROM kept") == [(100,)]


def test_postgres_is_durable_unless_told_otherwise(owned_postgres: Postgres) -> None:
    assert query(owned_postgres.url, "SHOW fsync") == [("on",)]
    assert query(owned_postgres.url, "SHOW synchronous_commit") == [("on",)]
    assert query(owned_postgres.url, "SHOW max_connections") == [("200",)]


def test_postgres_listens_on_the_loopback_alone_and_wants_its_password(owned_postgres: Postgres) -> None:
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(owned_postgres.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed"):
        query(f"postgresql://tollgate:wrong@127.0.0.1:{owned_postgres.port}/postgres", "SELECT 1")


def test_a_frozen_postgres_takes_no_connection_and_goes_on_when_thawed(owned_postgres: Postgres) -> None:
    owned_postgres.freeze()
    with pytest.raises(sqlalchemy.exc.OperationalError, match=r"did not answer in time|timeout"):
        query(owned_postgres.url, "SELECT 1")
    owned_postgres.thaw()
    assert query(owned_postgres.url, "SELECT 1") == [(1,)]


def test_a_postgres_killed_for_good_leaves_no_process_no_shared_memory_and_no_folder() -> None:
    with with_postgres() as postgres:
        segment, processes = segment_of(postgres), everything_below([postgres.pid])
        assert segment_exists(segment)
        postgres.kill9()
        assert all_gone(processes)
    assert not segment_exists(segment)
    assert not postgres.folder.exists()


def test_postgres_keeps_its_data_and_password_in_a_given_folder_over_two_lives(tmp_path: Path) -> None:
    with with_postgres(tmp_path / "kept") as first:
        query(first.url, "CREATE TABLE kept AS SELECT 1")
        password = first.password
    with with_postgres(tmp_path / "kept") as second:
        assert second.password == password
        assert query(second.url, "SELECT * FROM kept") == [(1,)]


def test_an_interrupted_initdb_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "data.unfinished").mkdir()
    (tmp_path / "data.unfinished" / "PG_VERSION").write_text("18\n")
    with with_postgres(tmp_path) as postgres:
        assert query(postgres.url, "SELECT 1") == [(1,)]


@pytest.mark.skipif(not AS_ROOT, reason="only root may become nobody")
def test_root_can_run_postgres_as_nobody_where_user_namespaces_are_forbidden(tmp_path: Path) -> None:
    closed = tmp_path / "closed to others"
    closed.mkdir(mode=0o700)
    nobody: Identity = "nobody"
    with with_postgres(closed / "data", identity=nobody) as postgres:
        assert psutil.Process(postgres.pid).username() == "nobody"
        query(postgres.url, "CREATE TABLE kept AS SELECT 1")
    with with_postgres(closed / "data", identity=nobody) as postgres:
        assert query(postgres.url, "SELECT * FROM kept") == [(1,)]
        postgres.discard()
        closed_mode = closed.stat().st_mode & 0o777
        (closed / "data").mkdir()
    assert closed_mode == 0o700
    assert not postgres._home.exists()


def test_both_servers_run_twice_at_once_in_closed_folders_with_spaces(tmp_path: Path) -> None:
    place = tmp_path / 'a folder with "quotes" and spaces'
    place.mkdir(mode=0o700)

    def life(number: int) -> tuple[str, str]:
        with (
            with_valkey(place / f"valkey {number}", password='p"w \\') as valkey,
            with_postgres(place / f"postgres {number}", password="p'w /@:") as postgres,
            redis.Redis.from_url(valkey.url) as client,
        ):
            client.set("who", number)
            query(postgres.url, f"CREATE TABLE who AS SELECT {number} AS number")
            return str(client.get("who")), str(query(postgres.url, "SELECT number FROM who"))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(life, (1, 2))) == [("b'1'", "[(1,)]"), ("b'2'", "[(2,)]")]


def test_a_lost_race_for_the_port_is_run_again_on_another(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with with_valkey() as winner:
        ports = iter([winner.port, winner.port, *range(winner.port + 1, winner.port + 50)])
        monkeypatch.setattr(server, "free_port", lambda: next(ports))
        with with_valkey() as valkey, with_postgres() as postgres:
            assert winner.port not in {valkey.port, postgres.port}
            assert query(postgres.url, "SELECT 1") == [(1,)]


def test_a_fixed_port_that_is_taken_is_a_clear_error(owned_valkey: Valkey, tmp_path: Path) -> None:
    with (
        pytest.raises(ServerNotStartedError, match="Address already in use"),
        with_valkey(tmp_path / "second", owned_valkey.port),
    ):
        pass


STARTER = textwrap.dedent(
    """
    import signal, sys, threading
    from pathlib import Path
    from sandbox.servers import with_postgres, with_valkey

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it as ignored
    with with_valkey(Path(sys.argv[1]) / "valkey") as valkey, with_postgres(Path(sys.argv[1]) / "postgres") as postgres:
        print(valkey.pid, postgres.pid, postgres._pid_file()[6].split()[1], flush=True)
        threading.Event().wait()
    """
)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_no_server_outlives_its_starter(tmp_path: Path, number: signal.Signals) -> None:
    with child([sys.executable, "-c", STARTER, str(tmp_path)], stderr=subprocess.DEVNULL) as starter:
        assert starter.stdout is not None
        valkey, postgres, segment = map(int, starter.stdout.readline().split())
        guardians = [child.pid for child in psutil.Process(starter.pid).children()]
        processes = everything_below(guardians)
        assert {valkey, postgres} <= {process.pid for process in processes}
        starter.send_signal(number)
        starter.wait(30)
    wait_until(lambda: all_gone(processes), "the end of every process of both servers")
    assert not segment_exists(segment)


def test_killing_the_guardian_ends_its_server_too(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child of its parent's death")
    with with_postgres(tmp_path) as postgres:
        processes = everything_below([postgres.pid])
        guardian = processes[0].parent()
        assert guardian is not None
        guardian.kill()
        wait_until(lambda: all_gone(processes), "the end of the server")


def test_a_copy_of_a_stopped_postgres_brings_back_what_was_there_then(owned_postgres: Postgres, tmp_path: Path) -> None:
    copy = tmp_path / "a copy"
    query(owned_postgres.url, "CREATE TABLE kept (number int)")
    with pytest.raises(ServerRunningError):
        owned_postgres.copy_data(copy)
    owned_postgres.stop()
    owned_postgres.copy_data(copy)
    owned_postgres.start()
    query(owned_postgres.url, "INSERT INTO kept VALUES (1)")
    owned_postgres.stop_immediately()
    owned_postgres.put_back(copy)
    owned_postgres.start()
    assert query(owned_postgres.url, "SELECT count(*) FROM kept") == [(0,)]
