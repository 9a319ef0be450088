"""Flags: raised once, shown with their payment, cleared by a check or an operator, and raised again when due."""

from __future__ import annotations

import threading

import pytest

from tasks.contracts.steps import Step
from tests.builders.command_line import Run, runner
from tests.builders.entries import payment_entry
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from workers.jobs.operator import Operator
from workers.services.flags import clear_flag, put_aside, raise_flag

pytestmark = pytest.mark.servers
ADA = Operator("ada", "INC-42")
WHY = ("--by", "ada", "--why", "INC-42")
LATE = "late_payment"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=house.runtime.settings.database.url))
    return runner(capsys)


def up(house: House, subject: str = "job_1", kind: str = LATE, **details: object) -> bool:
    with house.runtime.transaction(Step.OUTCOME) as session:
        return raise_flag(session, house.runtime, kind, subject, details)


def clear(house: House, subject: str = "job_1", kind: str = LATE) -> bool:
    with house.runtime.transaction(Step.OUTCOME) as session:
        return clear_flag(session, kind, subject)


def aside(house: House, *flags: int) -> list[str]:
    with house.runtime.transaction(Step.OUTCOME) as session:
        return [row.subject_id for row in put_aside(session, flags, ADA)]


def number(house: House, subject: str = "job_1") -> int:
    return int(house.one("SELECT id FROM flags WHERE subject_id = :subject", subject=subject)["id"])


def test_a_flag_is_raised_once_for_its_kind_and_subject(house: House) -> None:
    assert [up(house), up(house), up(house, "job_2"), up(house, kind="stuck")] == [True, False, True, True]
    assert house.one("SELECT count(*) AS n FROM flags")["n"] == 3


def test_an_unknown_kind_is_refused_by_the_database(house: House) -> None:
    with pytest.raises(Exception, match="ck_flags_kind"):
        up(house, kind="odd")


def test_details_follow_while_the_flag_stays_up_since_when_it_was_raised(house: House) -> None:
    up(house, amount=1)
    since = house.one("SELECT raised_at FROM flags")["raised_at"]
    assert not up(house, amount=2)
    assert house.one("SELECT raised_at, details FROM flags") == {"raised_at": since, "details": {"amount": 2}}


def test_what_a_check_cleared_is_raised_again(house: House) -> None:
    up(house)
    assert [clear(house), clear(house)] == [True, False]
    assert up(house)
    assert house.one("SELECT cleared_at, cleared_by FROM flags") == {"cleared_at": None, "cleared_by": None}


def test_what_an_operator_put_aside_is_raised_again_only_by_another_finding(house: House) -> None:
    up(house, payments=2)
    assert aside(house, number(house)) == ["job_1"]
    assert aside(house, number(house)) == []
    assert not up(house, payments=2)
    assert house.one("SELECT cleared_by FROM flags")["cleared_by"] == "operator"
    assert up(house, payments=3)


def test_who_cleared_it_and_why_is_kept(house: House) -> None:
    up(house, amount=1)
    aside(house, number(house))
    acts = house.sql("SELECT action, subject, operator, reason, details FROM operator_actions")
    assert [tuple(act.values()) for act in acts] == [
        ("clear", "job_1", "ada", "INC-42", {"flag": LATE, "amount": 1}),
    ]


def test_of_many_who_raise_at_once_one_is_told_that_it_did(house: House) -> None:
    told: list[bool] = []
    threads = [threading.Thread(target=lambda: told.append(up(house))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False, False, False, True]


def test_a_payments_view_follows_its_flags(shop: House) -> None:
    entry = payment_entry()
    shop.take_in(entry)
    shop.create(entry.job_id)
    before = shop.payment(entry.subject_id)["version"]
    up(shop, entry.subject_id)
    up(shop, entry.subject_id)
    assert shop.payment(entry.subject_id)["version"] == before + 1
    aside(shop, number(shop, entry.subject_id))
    up(shop, entry.subject_id, amount=1)
    clear(shop, entry.subject_id)
    assert shop.payment(entry.subject_id)["version"] == before + 4


# The command line


def test_flags_are_listed_shown_and_cleared(house: House, run: Run) -> None:
    up(house, amount=1)
    up(house, "job_2", "stuck")
    aside(house, number(house, "job_2"))
    assert [row["subject"] for row in run("flags", "list", "--json").json] == ["job_1"]
    assert len(run("flags", "list", "--json", "--all").json) == 2
    assert run("flags", "list", "--all", "--kind", "stuck", "--subject", "job_1").err == "0 flag(s)\n"
    assert "amount 1" in run("flags", "list").out
    flag = str(number(house))
    assert run("flags", "clear", flag, *WHY, "--dry-run").out == f"{flag}  {LATE}  job_1  would be cleared\n"
    assert len(run("flags", "list", "--json").json) == 1
    ran = run("flags", "clear", flag, *WHY, "--json")
    assert ran.json == {"dry_run": False, "cleared": [{"flag": int(flag), "kind": LATE, "subject": "job_1"}]}
    shown = run("flags", "show", flag, "--json").json
    assert (shown["cleared_by"], shown["clearings"][0]["reason"]) == ("operator", "INC-42")
    assert "INC-42" in run("flags", "show", flag).out


def test_what_is_not_up_is_said(house: House, run: Run) -> None:
    up(house)
    flag = number(house)
    ran = run("flags", "clear", str(flag), str(flag + 1), *WHY)
    assert (ran.code, ran.err) == (1, f"Error: not up: flag {flag + 1}\n")
    assert run("flags", "show", str(flag + 1)).err == f"Error: there is no flag {flag + 1}\n"
    assert run("flags", "show", "0").code == 2
