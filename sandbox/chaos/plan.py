"""The plan: which fault comes when and for how long. The same seed makes the same plan."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.chaos.fault_kinds import FaultKind


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come, `at` seconds after the start, for that many `seconds`."""

    at: float
    kind: FaultKind
    seconds: float


def in_turn(kinds: Sequence[FaultKind], chance: random.Random, gap: float) -> list[Planned]:
    """Return the kinds in a random order, one after another, with so many seconds (and half as many more) between."""
    shuffled = list(kinds)
    chance.shuffle(shuffled)
    planned, at = [], 0.0
    for kind in shuffled:
        at += gap * chance.uniform(1.0, 1.5)
        seconds = chance.uniform(kind.shortest, kind.longest)
        planned.append(Planned(at, kind, seconds))
        at += seconds
    return planned


def plan(kinds: Sequence[FaultKind], chance: random.Random, span: float) -> list[Planned]:
    """Return the kinds in a random order, spread over `span` seconds with some jitter, each as often as it is given."""
    shuffled = list(kinds)
    chance.shuffle(shuffled)
    slot = span / max(1, len(shuffled))
    return [
        Planned(
            at=(position + chance.random()) * slot,
            kind=kind,
            seconds=chance.uniform(kind.shortest, kind.longest),
        )
        for position, kind in enumerate(shuffled)
    ]
