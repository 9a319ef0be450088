from __future__ import annotations

from typing import Any

import pytest

from sandbox.simulator.deliveries import retry_seconds
from sandbox.simulator.events import differences, wants


def test_previous_attributes_are_what_changed_as_it_was() -> None:
    before = {"a": 1, "b": {"c": 1, "d": 2}, "e": None, "f": [1]}
    after = {"a": 1, "b": {"c": 1, "d": 3, "x": 9}, "e": "new", "f": [1, 2]}
    assert differences(before, after) == {"b": {"d": 2, "x": None}, "e": None, "f": [1]}


@pytest.mark.parametrize(
    ("enabled", "status", "wanted"),
    [
        (["*"], "enabled", True),
        (["charge.failed"], "enabled", True),
        (["charge.x"], "enabled", False),
        (["*"], "disabled", False),
    ],
)
def test_an_endpoint_gets_what_it_is_enabled_for(enabled: list[str], status: str, *, wanted: bool) -> None:
    endpoint: dict[str, Any] = {"enabled_events": enabled, "status": status}
    assert wants(endpoint, "charge.failed") == wanted


def test_retries_slow_down_to_an_hour() -> None:
    assert [retry_seconds(attempts) for attempts in (1, 2, 3, 4, 100)] == [1, 2, 4, 8, 3600]
