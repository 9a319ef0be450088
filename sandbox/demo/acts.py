"""Acts that follow the payments: each adds to the demo's report what came of it, or why it failed."""

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from sandbox.demo.fates import DemoError
from sandbox.shopper import ShopperError
from sandbox.simulator_control import SimulatorControlError


def play_act(
    console: Console, report: Mapping[str, Any], name: str, act: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Play an act, and return the report with its facts; if it fails the demo has failed, and the next act is played.

    Args:
        console: told why it failed.
        report: what is known so far.
        name: of the act, as it is told if it fails.
        act: plays it and returns what is to be reported.
    """
    try:
        return {**report, **act()}
    except (DemoError, ShopperError, SimulatorControlError, OSError, subprocess.SubprocessError) as error:
        wrong = f"{name}: {error}"
    console.print(wrong, style="red", markup=False)
    return {**report, "wrong": [*report["wrong"], wrong], "agreed": False}
