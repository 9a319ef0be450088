"""The command line on real servers: what it prints, where, with which exit code, and what it leaves behind."""

from __future__ import annotations

import base64
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from config.keyspace import Keyspace
from models.database import psycopg_url
from tasks.contracts.api_keys import ApiKeyRecord, parse_token
from tests.builders.command_line import Run, runner
from tests.builders.settings import REDIS_URL, complete_settings, put

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
START_S = 0.5  # of the processor's time: a busy machine does not make the command slower
SITES = "FROM clients WHERE id NOT IN ('stripe', 'tollgate')"  # the others are there from the beginning


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, database_url: str, redis_url: str, redis_prefix: str) -> dict[str, str]:
    variables = complete_settings(
        TOLLGATE_DATABASE_URL=database_url, TOLLGATE_REDIS_URL=redis_url, TOLLGATE_REDIS_PREFIX=redis_prefix
    )
    put(monkeypatch, variables)
    return variables


@pytest.fixture
def keys_in_redis(redis_url: str, redis_prefix: str) -> Callable[[str], dict[bytes, bytes]]:
    def look(key_id: str) -> dict[bytes, bytes]:
        with redis.Redis.from_url(redis_url, protocol=2) as client:
            return client.hgetall(Keyspace(redis_prefix).api_key(key_id))

    return look


def rows(database_url: str, query: str) -> list[Any]:
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.execute(text(query)))


def test_an_issued_key_stands_alone_on_standard_output_and_opens_the_door(
    run: Run, installed: dict[str, str], keys_in_redis: Callable[[str], dict[bytes, bytes]]
) -> None:
    issued = run("keys", "issue", "--client", "website", "--name", "Our website", "--rate", "20", "--burst", "40")
    assert issued.code == 0
    token = parse_token(issued.out.removesuffix("\n"))
    assert token is not None
    assert token.text not in issued.err
    assert "a new client" in issued.err
    record = ApiKeyRecord.from_fields(keys_in_redis(token.key_id))
    pepper = base64.b64decode(installed["TOLLGATE_API_KEY_PEPPER"])
    assert record == ApiKeyRecord(token.hashed(pepper), "website", 20.0, 40, record.mac)
    assert record.is_authentic(pepper, token.key_id)
    [client] = rows(installed["TOLLGATE_DATABASE_URL"], f"SELECT id, name {SITES}")
    assert tuple(client) == ("website", "Our website")


def test_neither_the_database_nor_redis_nor_a_list_holds_the_key_itself(
    run: Run, installed: dict[str, str], keys_in_redis: Callable[[str], dict[bytes, bytes]]
) -> None:
    key = run("keys", "issue", "--client", "website").out.strip()
    secret = key.rpartition("_")[2]
    token = parse_token(key)
    assert token is not None
    stored = str(rows(installed["TOLLGATE_DATABASE_URL"], "SELECT api_keys::text FROM api_keys"))
    listed = run("keys", "list", "--json").out + run("keys", "list").out
    assert token.key_id in stored
    assert token.key_id in listed
    assert secret not in stored + listed + str(keys_in_redis(token.key_id))


def test_a_second_key_of_a_client_keeps_the_first_and_the_clients_name(run: Run, installed: dict[str, str]) -> None:
    run("keys", "issue", "--client", "website", "--name", "Our website")
    second = run("keys", "issue", "--client", "website", "--name", "Another", "--json").json
    assert second["client_created"] is False
    assert second["projected"] is True
    assert len(run("keys", "list", "--client", "website", "--json").json) == 2
    assert rows(installed["TOLLGATE_DATABASE_URL"], "SELECT name FROM clients WHERE id = 'website'") == [
        ("Our website",)
    ]


def test_a_dry_run_of_issuing_changes_nothing(run: Run, installed: dict[str, str]) -> None:
    tried = run("keys", "issue", "--client", "website", "--dry-run")
    assert (tried.code, tried.out) == (0, "")
    assert "nothing was changed" in tried.err
    assert rows(installed["TOLLGATE_DATABASE_URL"], f"SELECT id {SITES}") == []
    assert run("keys", "list", "--json").json == []


def test_with_redis_away_a_key_is_stored_and_shown_and_a_remark_says_the_rest(
    run: Run, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLGATE_REDIS_URL", REDIS_URL)
    issued = run("keys", "issue", "--client", "website")
    assert issued.code == 0
    assert parse_token(issued.out.strip()) is not None
    assert "Redis does not answer" in issued.err
    assert "dispatcher projects it" in issued.err
    assert len(rows(installed["TOLLGATE_DATABASE_URL"], "SELECT id FROM api_keys")) == 1


def test_what_redis_missed_is_projected_by_the_next_command(
    run: Run,
    installed: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    keys_in_redis: Callable[[str], dict[bytes, bytes]],
) -> None:
    kept = parse_token(run("keys", "issue", "--client", "website").out.strip())
    revoked = parse_token(run("keys", "issue", "--client", "website").out.strip())
    assert kept is not None
    assert revoked is not None
    monkeypatch.setenv("TOLLGATE_REDIS_URL", REDIS_URL)
    missed = parse_token(run("keys", "issue", "--client", "website").out.strip())
    assert missed is not None
    assert run("keys", "revoke", revoked.key_id).code == 0
    assert keys_in_redis(revoked.key_id) != {}
    monkeypatch.setenv("TOLLGATE_REDIS_URL", installed["TOLLGATE_REDIS_URL"])
    run("keys", "issue", "--client", "other")
    assert keys_in_redis(missed.key_id) != {}
    assert keys_in_redis(kept.key_id) != {}
    assert keys_in_redis(revoked.key_id) == {}


def test_a_revoked_key_is_gone_from_redis_and_listed_only_with_all(
    run: Run, installed: dict[str, str], keys_in_redis: Callable[[str], dict[bytes, bytes]]
) -> None:
    key_id = _issue(run)
    assert run("keys", "revoke", key_id, "--dry-run").code == 0
    assert keys_in_redis(key_id) != {}
    assert run("keys", "revoke", key_id).code == 0
    assert keys_in_redis(key_id) == {}
    assert run("keys", "list", "--json").json == []
    [listed] = run("keys", "list", "--all", "--json").json
    assert listed["id"] == key_id
    assert listed["revoked_at"].endswith("Z")
    again = run("keys", "revoke", key_id)
    assert (again.code, again.err) == (1, f"Error: the key '{key_id}' is revoked already\n")


def test_rotation_keeps_the_limits_and_ends_the_old_key_by_itself_after_the_overlap(
    run: Run,
    installed: dict[str, str],
    keys_in_redis: Callable[[str], dict[bytes, bytes]],
    redis_url: str,
    redis_prefix: str,
) -> None:
    old = _issue(run, "--rate", "7", "--burst", "9")
    assert run("keys", "rotate", old, "--dry-run").out == ""
    rotated = run("keys", "rotate", old, "--overlap-hours", "2")
    new = parse_token(rotated.out.strip())
    assert new is not None
    assert new.key_id != old
    record = ApiKeyRecord.from_fields(keys_in_redis(new.key_id))
    assert (record.client_id, record.rate, record.burst) == ("website", 7.0, 9)
    assert record.is_authentic(base64.b64decode(installed["TOLLGATE_API_KEY_PEPPER"]), new.key_id)
    with redis.Redis.from_url(redis_url) as client:
        names = Keyspace(redis_prefix)
        assert 7100 < client.ttl(names.api_key(old)) <= 7200
        assert client.ttl(names.api_key(new.key_id)) == -1
    assert {row["id"] for row in run("keys", "list", "--json").json} == {old, new.key_id}
    assert run("keys", "rotate", old, "--overlap-hours", "0").code == 0
    assert keys_in_redis(old) == {}
    refused = run("keys", "rotate", old)
    assert (refused.code, "revoked already" in refused.err) == (1, True)


def _issue(run: Run, *options: str) -> str:
    token = parse_token(run("keys", "issue", "--client", "website", *options).out.strip())
    assert token is not None
    return token.key_id


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "issue", "--client", "Our Website"),
        ("keys", "issue", "--client", "stripe"),
        ("keys", "issue", "--client", "website", "--rate", "0"),
        ("keys", "issue", "--client", "website", "--burst", "0"),
        ("keys", "issue"),
        ("keys", "rotate", "abcd2345", "--overlap-hours", "-1"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_exit_code_2_and_changes_nothing(
    run: Run, installed: dict[str, str], arguments: tuple[str, ...]
) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert "Error: " in ran.err
    assert rows(installed["TOLLGATE_DATABASE_URL"], "SELECT id FROM api_keys") == []


@pytest.mark.parametrize("verb", ["revoke", "rotate"])
def test_an_unknown_key_is_one_clear_line(run: Run, installed: dict[str, str], verb: str) -> None:
    ran = run("keys", verb, "nosuchid")
    assert ran.code == 1
    assert ran.err == "Error: there is no key 'nosuchid': see 'tollgate keys list' for the ids\n"


def test_keys_before_migrations_say_what_to_run(
    run: Run, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    monkeypatch.setenv("TOLLGATE_DATABASE_URL", empty_database_url)
    ran = run("keys", "list")
    assert ran.code == 1
    assert ran.err == "Error: the database has no tables yet: run 'tollgate db migrate' first\n"


@pytest.mark.parametrize(
    "arguments", [("keys", "list"), ("keys", "issue", "--client", "w"), ("db", "migrate"), ("db", "current")]
)
def test_a_database_that_is_away_is_one_clear_line_without_the_password(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    put(monkeypatch, complete_settings())
    ran = run(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: PostgreSQL does not answer: ")
    assert len(ran.err.splitlines()) == 1
    assert "secret" not in ran.err


def test_a_missing_setting_is_exit_code_78_and_names_the_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, {})
    ran = run("db", "migrate")
    assert (ran.code, ran.out) == (78, "")
    assert "TOLLGATE_DATABASE_URL" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_migrating_an_empty_database_says_what_it_did_and_twice_is_harmless(
    run: Run, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, empty_database_url: str
) -> None:
    monkeypatch.setenv("TOLLGATE_DATABASE_URL", empty_database_url)
    before = run("db", "current")
    assert (before.code, before.out) == (1, "empty\n")
    tried = run("db", "migrate", "--dry-run")
    assert "would apply 0001: Create the first tables." in tried.err
    assert run("db", "current").out == "empty\n"
    done = run("db", "migrate")
    assert (done.code, "applied 0001" in done.err) == (0, True)
    again = run("db", "migrate", "--json")
    assert again.json["migrations"] == []
    assert again.json["revision"] == run("db", "current").out.strip()


def test_a_database_newer_than_this_version_is_left_alone(run: Run, installed: dict[str, str]) -> None:
    engine = create_engine(psycopg_url(installed["TOLLGATE_DATABASE_URL"]), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    ran = run("db", "migrate")
    assert ran.code == 1
    assert "9999, which this version of Tollgate does not know" in ran.err


def test_going_back_needs_to_be_asked_for_twice_and_never_happens_to_a_live_system(
    run: Run, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = run("db", "downgrade", "base")
    assert (refused.code, "--lose-data" in refused.err) == (1, True)
    assert run("db", "downgrade", "base", "--dry-run").code == 0
    assert run("db", "current").code == 0
    assert run("db", "downgrade", "nonsense", "--lose-data").code == 1
    monkeypatch.setenv("TOLLGATE_ENV", "live")
    live = run("db", "downgrade", "base", "--lose-data")
    assert (live.code, "restore a backup" in live.err) == (1, True)
    monkeypatch.setenv("TOLLGATE_ENV", "sandbox")
    assert run("db", "current").code == 0
    assert run("db", "downgrade", "base", "--lose-data").code == 0
    assert run("db", "current").out == "empty\n"


def test_redis_takes_the_printed_rules(run: Run, installed: dict[str, str], redis_url: str, redis_prefix: str) -> None:
    rules = run("redis", "acl", "--json").json
    printed = run("redis", "acl").out
    assert printed == " ".join(rules) + "\n"
    assert redis_prefix in printed
    user = f"test-{redis_prefix[-7:-1]}"
    with redis.Redis.from_url(redis_url) as client:
        try:
            # As an unquoted shell would split the printed line.
            assert client.execute_command("ACL SETUSER", user, "reset", "on", "nopass", *printed.split()) in (
                b"OK",
                True,
            )
            assert client.acl_dryrun(user, "PING") in (b"OK", True, "OK")
            assert client.acl_dryrun(user, "FLUSHALL") not in (b"OK", True, "OK")
        finally:
            client.acl_deluser(user)


def test_help_starts_in_a_moment_and_loads_no_database_code() -> None:
    script = (
        "import sys\nfrom ops.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    print([m for m in ('sqlalchemy', 'alembic', 'redis', 'celery') if m in sys.modules])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < START_S
    assert ran.stdout.endswith("[]\n")
    for group in ("db", "keys", "redis", "secrets", "settings"):
        assert f"  {group} " in ran.stdout
