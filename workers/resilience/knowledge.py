"""What processes tell each other about a circuit."""

from dataclasses import dataclass
from typing import Literal

Wish = Literal["probe", "hold", "nothing"]


@dataclass(frozen=True, slots=True)
class Report:
    """What this process knows, for the others.

    Args:
        turn: how often the circuit has changed; the higher one is the newer knowledge.
        age: seconds since it changed last.
        failures: of this process, that count in this turn.
        wish: `probe` to begin or go on with one, `hold` to keep the right to one, or `nothing`.
    """

    turn: int
    state: Literal["closed", "open"]
    age: float
    failures: int
    wish: Wish


@dataclass(frozen=True, slots=True)
class Shared:
    """What all processes know together.

    Args:
        others: the failures of all other processes that count in this turn.
        present: how many processes share, this one included.
        granted: whether this process may probe.
    """

    turn: int
    state: Literal["closed", "open"]
    age: float
    others: int
    present: int
    granted: bool
