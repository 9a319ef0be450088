"""The system that `make run` keeps up, as other commands find it."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

FOLDER = Path(".run") / "system"
STATE = FOLDER / "running.json"


@dataclass(frozen=True, slots=True)
class Running:
    """How to reach the running system. Readable by its owner alone, since it holds a key and a password."""

    pid: int
    web_url: str
    flower_url: str
    simulator_url: str
    api_key: str = field(repr=False)
    database_url: str = field(repr=False)

    def write(self) -> None:
        """Leave word that the system runs."""
        STATE.unlink(missing_ok=True)
        with os.fdopen(os.open(STATE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)

    @classmethod
    def find(cls) -> Self | None:
        """Return the running system, or None; what a killed one left behind does not count."""
        try:
            found = cls(**json.loads(STATE.read_text()))
            os.kill(found.pid, 0)
        except (OSError, ValueError, TypeError):
            return None
        return found


def forget() -> None:
    """Take the word back."""
    STATE.unlink(missing_ok=True)
