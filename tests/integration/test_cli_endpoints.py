"""`tollgate endpoints` on a real PostgreSQL: what it prints, what it keeps, and what a website then gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from config.settings import load_endpoints
from models.endpoint import Endpoint
from tests.builders.command_line import Run, runner
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from tests.unit.workers.gateways.scripted import ScriptedServer, answer, scripted
from workers.services.notifications import recipient_of

pytestmark = pytest.mark.servers
URL = "https://shop.example.com/hooks"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return runner(capsys)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, house: House, database_url: str) -> House:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=database_url, TOLLGATE_WEBSITES_ON_LOOPBACK="yes"))
    return house


@pytest.fixture
def website() -> Iterator[ScriptedServer]:
    with scripted(answer(200)) as server:
        yield server


def keys_of(house: House, endpoint_id: str) -> list[str]:
    """Return the secrets that sign, as workers of this installation open them."""
    ring = load_endpoints().encryption_keys
    with house.runtime.reading() as session:
        return list(recipient_of(session, ring, session.get_one(Endpoint, endpoint_id)).keys)


def add(run: Run, url: str = URL, *more: str) -> dict[str, Any]:
    return dict(run("endpoints", "add", url, "--client", "site", "--json", *more).json)


def test_a_secret_stands_alone_on_standard_output_once_and_is_sealed_at_rest(run: Run, installed: House) -> None:
    ran = run("endpoints", "add", URL, "--client", "site", "--type", "payment.paid", "--type", "refund.*")
    assert ran.code == 0
    secret = ran.out.strip()
    assert secret.startswith("whsec_")
    [row] = installed.sql("SELECT * FROM endpoints")
    assert secret.encode() not in bytes(row["secret"])
    assert keys_of(installed, row["id"]) == [secret]
    assert (row["url"], row["client_id"], row["types"]) == (URL, "site", ["payment.paid", "refund.*"])
    listed = run("endpoints", "list")
    assert row["id"] in listed.out
    assert secret not in listed.out + listed.err
    assert "secret" not in run("endpoints", "list", "--client", "site", "--json").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("http://shop.example.com/", "--client", "site"), "https"),
        (("https://localhost/", "--client", "site"), "private network"),
        (("https://169.254.169.254/", "--client", "site"), "private or reserved"),
        ((URL, "--client", "nobody"), "no client 'nobody'"),
        ((URL, "--client", "stripe"), "no client 'stripe'"),
        ((URL, "--client", "site", "--type", "payment.lost"), "payment.paid"),
    ],
)
def test_what_may_not_be_an_endpoint_is_refused_in_words(
    run: Run, installed: House, arguments: tuple[str, ...], words: str
) -> None:
    ran = run("endpoints", "add", *arguments)
    assert ran.code in {1, 2}
    assert words in ran.err
    assert installed.sql("SELECT * FROM endpoints") == []


def test_a_url_is_an_endpoint_of_a_client_once(run: Run, installed: House) -> None:
    first = add(run)
    again = run("endpoints", "add", URL, "--client", "site")
    assert again.code == 1
    assert first["id"] in again.err


def test_dry_runs_change_nothing(run: Run, installed: House) -> None:
    assert run("endpoints", "add", URL, "--client", "site", "--dry-run").code == 0
    assert installed.sql("SELECT * FROM endpoints") == []
    endpoint = add(run)["id"]
    before = installed.sql("SELECT * FROM endpoints")
    for verb in ("rotate", "disable", "enable", "remove"):
        ran = run("endpoints", verb, endpoint, "--dry-run", "--json")
        assert (ran.code, ran.json["dry_run"], ran.json["secret"]) == (0, True, None)
    assert installed.sql("SELECT * FROM endpoints") == before


def test_a_rotation_lets_both_sign_until_it_is_finished(run: Run, installed: House) -> None:
    made = add(run)
    new = run("endpoints", "rotate", made["id"]).out.strip()
    assert keys_of(installed, made["id"]) == [new, made["secret"]]
    second = run("endpoints", "rotate", made["id"])
    assert (second.code, "--finish" in second.err) == (1, True)
    assert run("endpoints", "rotate", made["id"], "--finish").code == 0
    assert keys_of(installed, made["id"]) == [new]


def test_a_rotation_may_end_by_itself(run: Run, installed: House) -> None:
    made = add(run)
    ran = run("endpoints", "rotate", made["id"], "--overlap-hours", "1", "--json").json
    assert ran["former_until"]
    assert len(keys_of(installed, made["id"])) == 2
    installed.sql("UPDATE endpoints SET former_until = clock_timestamp()")
    assert keys_of(installed, made["id"]) == [ran["secret"]]
    assert run("endpoints", "rotate", made["id"]).code == 0
    assert run("endpoints", "rotate", made["id"], "--finish", "--overlap-hours", "1").code == 2


def test_an_endpoint_is_disabled_enabled_and_removed(run: Run, installed: House) -> None:
    endpoint = add(run)["id"]
    run("endpoints", "disable", endpoint)
    assert run("endpoints", "list", "--json").json[0]["disabled_at"]
    installed.sql("INSERT INTO flags (kind, subject_id) VALUES ('endpoint_gone', :id)", id=endpoint)
    run("endpoints", "enable", endpoint, "--dry-run")
    assert len(run("flags", "list", "--json").json) == 1
    run("endpoints", "enable", endpoint)
    assert run("endpoints", "list", "--json").json[0]["disabled_at"] is None
    assert run("flags", "list", "--json").json == []
    assert run("endpoints", "remove", endpoint).code == 0
    gone = run("endpoints", "remove", endpoint)
    assert (gone.code, "no endpoint" in gone.err) == (1, True)


def test_a_test_notification_is_signed_and_its_fate_is_told(
    run: Run, installed: House, website: ScriptedServer
) -> None:
    made = add(run, website.url)
    assert run("endpoints", "test", made["id"], "--dry-run").code == 0
    assert website.heard == []
    assert run("endpoints", "test", made["id"]).code == 0
    [heard] = website.heard
    assert Webhook(made["secret"]).verify(heard.raw, dict(heard.headers)) == {
        "type": "endpoint.test",
        "timestamp": Webhook(made["secret"]).verify(heard.raw, dict(heard.headers))["timestamp"],
        "data": {"endpoint": made["id"]},
    }


def test_a_test_notification_that_is_not_taken_says_why(run: Run, installed: House) -> None:
    with scripted(answer(302, Location="https://elsewhere.example.com/")) as moved:
        made = add(run, moved.url)
        ran = run("endpoints", "test", made["id"])
    assert ran.code == 1
    assert "no redirect" in ran.err
