"""The command line's own promises: every command explains itself, has --json, and --dry-run where it changes things."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import click
import pytest

from config.errors import RedisAwayError, SettingsError
from config.version import VERSION
from ops import cli

CHANGING = {
    *("migrate", "downgrade", "issue", "rotate", "revoke"),
    *("replay", "discard", "not-done", "cancel", "pause", "resume", "reread", "clear", "rebuild"),
    *("add", "remove", "disable", "enable", "test"),
    *("events heal", "invariants check", "disputes submit", "disputes accept"),
}


def commands() -> Iterator[tuple[str, click.Command]]:
    for name in cli.GROUPS:
        found = cli.tollgate.get_command(click.Context(cli.tollgate), name)
        assert found is not None, name
        if not isinstance(found, click.Group):
            yield name, found
            continue
        for verb, command in found.commands.items():
            yield f"{name} {verb}", command


COMMANDS = dict(commands())


def test_the_commands_are_these() -> None:
    assert set(COMMANDS) == {
        "dead list",
        "dead show",
        "dead replay",
        "dead discard",
        "dead not-done",
        *(f"endpoints {verb}" for verb in ("add", "list", "rotate", "disable", "enable", "remove", "test")),
        "events heal",
        "events status",
        *("disputes list", "disputes show", "disputes submit", "disputes accept"),
        *("evidence list", "evidence show"),
        "explain",
        "flags list",
        "flags show",
        "flags clear",
        "invariants check",
        "jobs list",
        "jobs show",
        "jobs cancel",
        "journal status",
        "journal rejected",
        "journal reread",
        "queue list",
        "queue pause",
        "queue resume",
        "db migrate",
        "db current",
        "db downgrade",
        "keys issue",
        "keys list",
        "keys rotate",
        "keys revoke",
        "ledger balances",
        "ledger show",
        "ledger check",
        "readmodel rebuild",
        "reconcile list",
        "reconcile show",
        "redis acl",
        "schedules list",
        "secrets generate",
        "settings check",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_an_example_of_itself_and_speaks_json(name: str) -> None:
    command = COMMANDS[name]
    assert f"tollgate {name}" in (command.help or "").partition("Example: ")[2]
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options
    assert ("--dry-run" in options) == bool({name, name.partition(" ")[2]} & CHANGING)


@pytest.mark.parametrize("name", cli.GROUPS)
def test_a_groups_line_in_the_overview_is_its_own(name: str) -> None:
    entry = cli.GROUPS[name]
    group = getattr(importlib.import_module(entry.module), entry.attribute)
    assert (group.help or "").splitlines()[0] == entry.help


def test_an_unknown_group_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(["payments"]) == 2
    assert "No such command 'payments'" in capsys.readouterr().err


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert ends(["--version"]) == 0
    assert capsys.readouterr().out == f"tollgate, version {VERSION}\n"


@pytest.mark.parametrize(
    ("error", "code"), [(SettingsError("TOLLGATE_X is not set"), 78), (RedisAwayError("Redis does not answer"), 1)]
)
def test_an_error_of_ours_is_one_line_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(cli.tollgate, "invoke", fail)
    assert ends(["db", "migrate"]) == code
    assert capsys.readouterr().err == f"Error: {error}\n"


def ends(arguments: list[str]) -> object:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    return ended.value.code
