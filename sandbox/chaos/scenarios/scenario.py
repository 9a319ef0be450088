"""What a scenario is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.chaos.stage import Stage


@dataclass(slots=True)
class Own:
    """What a scenario measures beside what the oracle judges: figures, and every promise of its own that was broken."""

    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def demand(self, kept: object, otherwise: str) -> None:
        """Note a broken promise unless it was kept."""
        if not kept:
            self.broken.append(otherwise)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table of figures.

    Args:
        name: for `--scenario`.
        title: what is done.
        promise: the figure to be shown.
        play: does it.
        settings: of the system's processes, beside those for the pace.
        short: whether it is a part of the short run.
    """

    name: str
    title: str
    promise: str
    play: Callable[[Stage], Own]
    settings: Mapping[str, str] = field(default_factory=dict)
    short: bool = False
