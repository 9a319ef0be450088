"""`docs/settings.md` lists every variable that is read, with its default and who reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from environs import Env

from config import settings
from config.environment import Reader
from tests.builders.settings import REDIS_URL, complete_settings, put

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
ROW = re.compile(r"\| `(?P<name>\w+)` \| (?P<default>[^|]*) \| (?P<roles>[^|]*) \| (?P<meaning>[^|]+) \|")
REQUIRED = "required"
LOADERS: dict[str, list[Callable[[], object]]] = {
    "web": [settings.load_ingress],
    "worker": [settings.load_worker],
    "operator": [
        settings.load_operator,
        settings.load_endpoints,
        settings.load_database,
        settings.load_environment,
        settings.load_keyspace,
        settings.load_plans,
        settings.load_sealed_database,
    ],
    "flower": [settings.load_flower],
}


class Recorder:
    """Stands in for the reader's environment and notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: dict[str, str] = {}

    def __getattr__(self, form: str) -> Callable[..., Any]:
        def read(name: str, *default: object) -> Any:
            self.asked[name] = f"`{default[0]}`" if default else REQUIRED
            return getattr(Env(), form)(name, *default)

        return read


def read_by(role: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    recorder = Recorder()
    monkeypatch.setattr(Reader, "__init__", lambda reader: setattr(reader, "_env", recorder))
    for environment in ("sandbox", "test"):
        variables = complete_settings(TOLLGATE_ENV=environment)
        if environment == "test":
            del variables["TOLLGATE_STRIPE_API_BASE"]
        put(monkeypatch, variables)
        for load in LOADERS[role]:
            load()
    return {name: default.replace(REDIS_URL, "TOLLGATE_REDIS_URL") for name, default in recorder.asked.items()}


def test_the_page_is_what_the_code_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, tuple[str, list[str]]] = {}
    for role in LOADERS:
        for name, default in read_by(role, monkeypatch).items():
            before, roles = found.get(name, (default, []))
            assert before == default, name
            found[name] = (default, [*roles, role])
    rows = [match.groupdict() for match in map(ROW.fullmatch, PAGE.read_text().splitlines()) if match]
    assert {row["name"]: (row["default"], row["roles"].split(", ")) for row in rows} == found
    assert len(rows) == len(found)
