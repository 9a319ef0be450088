"""Generated secrets are complete, fresh and fit to be loaded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from config import settings
from config.keyring import parse_keyring
from config.sealing import public_key_of
from ops.cli import main
from ops.secrets import generate
from tests.builders.settings import complete_settings, put


def test_every_kind_of_process_loads_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, complete_settings())
    settings.load_ingress()
    settings.load_worker()
    settings.load_operator()
    settings.load_flower()


def test_the_public_key_is_that_of_the_private_one_under_the_same_id() -> None:
    values = generate()
    private, public = (parse_keyring(values[f"TOLLGATE_JOURNAL_{part}"]) for part in ("PRIVATE_KEYS", "PUBLIC_KEY"))
    assert private.current_id == public.current_id
    assert public_key_of(private.current) == public.current


def test_no_two_secrets_and_no_two_runs_are_alike() -> None:
    first, second = generate(), generate()
    assert len(set(first.values())) == len(first)
    assert set(first.values()).isdisjoint(second.values())


def test_every_key_has_32_bytes_of_the_given_randomness() -> None:
    asked: list[int] = []

    def random_bytes(length: int) -> bytes:
        asked.append(length)
        return bytes([len(asked)]) * length

    values = generate(random_bytes)
    assert len(base64.b64decode(values["TOLLGATE_IDENTITY_KEY"])) == 32
    assert asked.count(32) == 7
    assert len(asked) == 8


def test_the_command_prints_lines_that_a_shell_can_read_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    printed = run(capsys, "secrets", "generate")
    lines = dict(line.split("=", 1) for line in printed.splitlines())
    assert lines.keys() == generate().keys()
    assert not any(character in printed for character in " '\"$`;&|<>()#")
    assert json.loads(run(capsys, "secrets", "generate", "--json")).keys() == lines.keys()


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out
