"""`tollgate evidence`: what was posted without its texts, and in clear what would be submitted."""

from __future__ import annotations

import pytest

from config.keyring import encode_keyring
from tasks.contracts.evidence import KeepEvidence
from tests.builders.command_line import Run, runner
from tests.builders.entries import operation_entry, payment_entry
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from tests.builders.worker import ENCRYPTION

pytestmark = pytest.mark.servers
LOG = "access_activity_log"
LINES = "09:02 Canary signed in\n16:55 \N{RIGHT-TO-LEFT MARK}passed"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, shop: House) -> Run:
    keys = encode_keyring(ENCRYPTION.keys)
    put(
        monkeypatch,
        complete_settings(TOLLGATE_DATABASE_URL=shop.runtime.settings.database.url, TOLLGATE_ENCRYPTION_KEYS=keys),
    )
    return runner(capsys)


@pytest.fixture
def payment_id(shop: House) -> str:
    entry = payment_entry(booking_reference="BK-77")
    shop.take_in(entry)
    shop.create(entry.job_id)
    return entry.subject_id


@pytest.fixture
def kept(shop: House, payment_id: str) -> str:
    """Return the id of the job that has kept two pieces."""
    entry = operation_entry(KeepEvidence(payment_id, {LOG: LINES, "service_date": "2026-03-12"}))
    shop.take_in(entry)
    assert shop.operate(entry.job_id).state == "done"
    return entry.job_id


def test_a_list_names_fields_sizes_and_jobs_and_no_text(run: Run, payment_id: str, kept: str) -> None:
    ran = run("evidence", "list", payment_id)
    assert ran.code == 0
    assert kept in ran.out
    assert "2 piece(s)" in ran.err
    listed = run("evidence", "list", payment_id, "--json")
    assert [(row["field"], row["characters"], row["job"]) for row in listed.json] == [
        (LOG, len(LINES), kept),
        ("service_date", 10, kept),
    ]
    assert "Canary" not in ran.out + listed.out


def test_what_would_be_submitted_is_shown_in_clear(run: Run, payment_id: str, kept: str) -> None:
    assert kept
    shown = run("evidence", "show", payment_id, "--json").json
    assert shown["payment"] == payment_id
    assert shown["left_out"] == []
    assert (shown["evidence"][LOG], shown["evidence"]["customer_name"]) == (LINES, "Ada Lovelace")
    ran = run("evidence", "show", payment_id)
    assert "    09:02 Canary signed in\n" in ran.out
    assert f"{LOG} ({len(LINES)} characters)" in ran.out
    assert "\N{RIGHT-TO-LEFT MARK}" not in ran.out


def test_what_is_left_out_is_said(run: Run, shop: House, payment_id: str) -> None:
    for _ in range(2):
        entry = operation_entry(KeepEvidence(payment_id, {LOG: "a line of the log\n" * 1000}))
        shop.take_in(entry)
        shop.operate(entry.job_id)
    [cut] = run("evidence", "show", payment_id, "--json").json["left_out"]
    assert (cut["field"], cut["limit"]) == (LOG, 20_000)
    assert f"left out of {LOG}: {cut['characters']} characters" in run("evidence", "show", payment_id).err


@pytest.mark.parametrize("command", ["list", "show"])
def test_an_unknown_payment_is_said_to_be_none(run: Run, command: str) -> None:
    ran = run("evidence", command, "pay_\x1b[31m")
    assert ran.code == 1
    assert ran.err.startswith("Error: there is no payment pay_")
    assert "\x1b" not in ran.err


def test_explain_tells_of_pieces_without_texts(run: Run, payment_id: str, kept: str) -> None:
    ran = run("explain", payment_id)
    assert f"evidence is kept: {len(LINES)} characters of {LOG}, by {kept}" in ran.out
    assert "Canary" not in ran.out + run("explain", payment_id, "--json").out
