"""The acts: what went wrong in one fails the demo with a clear line, and is kept in its report."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from sandbox.demo.acts import play_act
from sandbox.demo.fates import DemoError

REPORT = {"seed": 7, "agreed": True, "wrong": []}


def test_what_came_of_an_act_is_added_to_the_report() -> None:
    assert play_act(Console(quiet=True), REPORT, "disputes", lambda: {"won": 1}) == {**REPORT, "won": 1}


def test_an_act_that_failed_fails_the_demo_and_is_told() -> None:
    def act() -> dict[str, Any]:
        raise DemoError("nothing was sent")

    screen = io.StringIO()
    found = play_act(Console(file=screen), {**REPORT, "wrong": ["before"]}, "disputes", act)
    assert (found["agreed"], found["wrong"]) == (False, ["before", "disputes: nothing was sent"])
    assert screen.getvalue() == "disputes: nothing was sent\n"
