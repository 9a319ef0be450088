"""The pulse: what a dispatcher says of itself and of what it can reach. Anyone who may read Redis may read it."""

import json
from dataclasses import asdict, dataclass
from typing import Final, Literal, Self, get_args

from config.errors import ContractError

Condition = Literal["up", "away", "unknown"]
_CONDITIONS: Final = frozenset(get_args(Condition))


@dataclass(frozen=True, slots=True)
class Pulse:
    """A sign of life.

    Args:
        at_ms: when it was given, by the dispatcher's clock, in milliseconds since 1970.
        database: whether PostgreSQL answered the dispatcher lately.
        stripe: `away` while the workers' circuit breaker is open, `unknown` while no worker has told.
    """

    at_ms: int
    database: Condition
    stripe: Condition

    def to_bytes(self) -> bytes:
        """Write it."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, value: bytes) -> Self:
        """Read it; what a dispatcher of another version does not say is unknown.

        Raises:
            ContractError: it is no pulse.
        """
        try:
            said = json.loads(value)
        except ValueError:
            said = None
        if isinstance(said, int):  # a dispatcher of an older version gives the time alone
            said = {"at_ms": said}
        if not isinstance(said, dict) or not isinstance(said.get("at_ms"), int) or isinstance(said["at_ms"], bool):
            raise ContractError("this is no dispatcher's pulse")
        return cls(said["at_ms"], _condition(said.get("database")), _condition(said.get("stripe")))


def _condition(value: object) -> Condition:
    return value if isinstance(value, str) and value in _CONDITIONS else "unknown"  # type: ignore[return-value]  # it is one of them
