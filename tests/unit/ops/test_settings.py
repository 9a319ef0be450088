"""`tollgate settings check` says of every role whether it could start, and shows no value."""

from __future__ import annotations

import json

import pytest

from ops.cli import main
from tests.builders.settings import complete_settings, put


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(("settings", "check", *arguments))
    return int(ended.value.code or 0), capsys.readouterr().out


def test_complete_settings_are_ok_for_every_role(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, complete_settings())
    assert run(capsys) == (0, "web: ok\ndispatcher: ok\nworker: ok\nflower: ok\noperator: ok\n")


def test_a_wrong_setting_is_named_for_the_roles_that_need_it_and_only_for_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_STRIPE_API_KEY="sk_live_secret"))
    code, out = run(capsys, "--json")
    found = json.loads(out)
    assert code == 78
    assert {role for role, complaint in found.items() if complaint} == {"dispatcher", "worker"}
    assert found["worker"].startswith("TOLLGATE_STRIPE_API_KEY must start with")
    assert "sk_live_secret" not in out


def test_only_the_named_roles_are_checked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    put(monkeypatch, complete_settings(TOLLGATE_STRIPE_API_KEY="sk_live_x"))
    assert run(capsys, "web", "flower") == (0, "web: ok\nflower: ok\n")
