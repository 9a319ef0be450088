"""Tables of moves: which state may follow which. What is not in the table cannot happen."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.errors import IllegalMoveError


@dataclass(frozen=True, slots=True)
class Moves:
    """One noun's states and the moves between them."""

    noun: str
    table: Mapping[str, frozenset[str]]

    @property
    def states(self) -> tuple[str, ...]:
        """All states, in the table's order."""
        return tuple(self.table)

    @property
    def final(self) -> frozenset[str]:
        """The states that nothing follows."""
        return frozenset(state for state, following in self.table.items() if not following)

    def allow(self, old: str, new: str) -> bool:
        """Tell whether `new` may follow `old`; staying is always allowed."""
        return old == new or new in self.table[old]

    def check(self, subject: str, old: str, new: str) -> None:
        """Pass if `new` may follow `old`.

        Raises:
            IllegalMoveError: if it may not.
        """
        if not self.allow(old, new):
            raise IllegalMoveError(f"{self.noun} {subject} is {old} and cannot become {new}")
