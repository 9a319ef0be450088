"""`docs/timeouts.md` tells the limits that the code has, and names tests that exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "timeouts.md"
SETTING = re.compile(r"\| `(?P<name>TOLLGATE_\w+)` \| `(?P<default>[\d.]+)` \|")
FEWEST_ROWS = 25
MILLISECONDS = 1000


def rows() -> list[dict[str, str]]:
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    header, _, *body = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return [dict(zip(header, cells, strict=True)) for cells in body]


def limit_of(set_by: str) -> float:
    """Return the limit in seconds that a setting has by default, or a constant."""
    name, unit = re.fullmatch(r"`([\w.]+)`( \(ms\))?", set_by).groups()  # type: ignore[union-attr]  # a row of another form fails here
    if name.startswith("TOLLGATE_"):
        defaults = dict(SETTING.findall((ROOT / "docs" / "settings.md").read_text(encoding="utf-8")))
        return float(defaults[name])
    module, _, constant = name.rpartition(".")
    value = float(getattr(importlib.import_module(module), constant))
    return value / MILLISECONDS if unit else value


ROWS = rows()


def test_the_table_is_read() -> None:
    assert len(ROWS) >= FEWEST_ROWS
    assert list(ROWS[0]) == ["What is waited for", "By whom", "Limit, s", "Set by", "When it strikes", "Shown by"]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['What is waited for']}, {row['By whom']}" for row in ROWS])
def test_a_limit_is_the_codes_and_its_test_exists(row: dict[str, str]) -> None:
    assert float(row["Limit, s"]) == limit_of(row["Set by"])
    path, _, test = row["Shown by"].strip("`").partition("::")
    assert re.search(rf"^def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), test


def test_every_timeout_among_the_settings_is_in_the_table() -> None:
    settings = SETTING.findall((ROOT / "docs" / "settings.md").read_text(encoding="utf-8"))
    told = " ".join(row["Set by"] for row in ROWS)
    assert [name for name, _ in settings if "TIMEOUT" in name and name not in told] == []
