"""Where the machine looks: which moves it makes, how often, and what a run of it has done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from tests.model.fake_stripe import FAULTS
from tests.model.requests import AMOUNTS

JUMPS = (1.0, 6.0, 20.0, 130.0)  # a first retry; a lost hint; a lease; the wait for a new generation
# How often each move is made, of their sum. The first is what a failure is shrunk towards.
WEIGHTS: Mapping[str, int] = {
    "advance": 30,
    "post": 7,
    "take new": 7,
    "take left": 3,
    "deliver": 14,
    "run": 4,
    "stall": 4,
    "jump": 8,
    "rescue": 5,
    "publish": 5,
    "republish": 4,
    "views": 4,
    "epoch": 1,
    "waiting entries": 1,
    "trim": 1,
    "freeze": 5,
    "wake": 3,
    "kill": 5,
    "lose": 3,
    "webhook": 4,
    "pay": 2,
    "stop": 2,
    "cancel": 1,
    "replay": 2,
    "pause or resume": 1,
    "broker comes or goes": 1,
    "broken journal": 1,
    "copy": 1,
    "restore": 1,
    "forget": 1,
    "too old": 1,
    "next day": 1,
}
# What an example may do without: each example leaves some of these out, so that the others have more room.
OPTIONAL = (
    "run",
    "stall",
    "kill",
    "lose",
    "pay",
    "webhook",
    "stop",
    "cancel",
    "replay",
    "pause or resume",
    "broker comes or goes",
    "broken journal",
    "copy",
    "forget",
    "too old",
    "next day",
    "faults",
)


@dataclass
class Tally:
    """What runs of the machine have done: how many steps, which moves, and what became of the jobs.

    Args:
        enough: so many examples are played, of those that follow none.
    """

    steps: int = 0
    examples: int = 0
    enough: float = inf
    moves: Counter[str] = field(default_factory=Counter)
    endings: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        """Count what another run has done as well."""
        self.steps += other.steps
        self.examples += other.examples
        self.moves += other.moves
        self.endings += other.endings


@dataclass(frozen=True)
class Focus:
    """Where the machine looks.

    Args:
        weights: moves that are made more or less often than usual; 0 for never.
        payments: how many different payments are asked for; the fewer, the more often they meet.
        variants: how many different bodies are posted under one key.
        faults: of Stripe.
        jumps: how far the clock jumps, in seconds.
        only: whether no other moves are made than those in `weights`, and none of them is left out.
    """

    weights: Mapping[str, int] = field(default_factory=dict)
    payments: int = 4
    variants: int = len(AMOUNTS)
    faults: tuple[str, ...] = FAULTS
    jumps: tuple[float, ...] = JUMPS
    only: bool = False

    def moves(self) -> list[str]:
        """Return the names of the moves, each as often as its weight says."""
        weights = self.weights if self.only else {**WEIGHTS, **self.weights}
        return [move for move, weight in weights.items() for _ in range(weight)]
