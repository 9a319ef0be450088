"""Actors: real processes of the house's, each of which does one thing, and may die of it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.failpoints import NONE

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0  # an actor needs a tenth of a second; a loaded machine may take longer
READ_BYTES = 65_536


@dataclass
class Actor:
    """One process: its id, whether it reached its failpoint, its answer, and how it ended."""

    stage: Actors
    number: int
    pid: int = 0
    reached: str | None = None
    answer: Any = None
    ended: int | None = None

    def await_end(self) -> int:
        """Return the exit code, below zero for a signal."""
        self.stage.wait(lambda: self.ended is not None, f"the end of actor {self.number}")
        assert self.ended is not None
        return self.ended

    def await_failpoint(self) -> None:
        """Wait until it is at its failpoint; fails if it ended without getting there."""
        self.stage.wait(lambda: self.reached or self.ended is not None, f"actor {self.number} at its failpoint")
        assert self.reached, f"the actor ended with {self.ended} and never came to its failpoint"

    def wake(self) -> None:
        """Let it go on after a hang, and see it end by itself."""
        os.kill(self.pid, signal.SIGUSR1)
        assert self.await_end() == 0, "woken late, the actor ends as if nothing had been"

    def kill(self) -> None:
        """End it, if it is not over."""
        if self.pid and self.ended is None:  # 0 would be this whole process group
            os.kill(self.pid, signal.SIGKILL)
            self.await_end()


@dataclass
class Actors:
    """The process that forks actors, and what it tells of them."""

    process: subprocess.Popen[bytes]
    known: dict[int, Actor] = field(default_factory=dict)
    unread: bytes = b""

    def start(self, role: str, house: dict[str, Any], failpoints: str = NONE, **arguments: Any) -> Actor:
        """Start an actor in a role of `tests.chaos.roles`, armed."""
        actor = Actor(self, len(self.known))
        self.known[actor.number] = actor
        command = {"number": actor.number, "role": role, "house": house, "failpoints": failpoints}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({**command, "arguments": arguments}).encode() + b"\n")
        self.process.stdin.flush()
        self.wait(lambda: actor.pid, f"the start of actor {actor.number}")
        return actor

    def wait(self, condition: Any, what: str) -> None:
        """Read what is told until the condition holds."""
        deadline = time.monotonic() + PATIENCE_S
        assert self.process.stdout is not None
        while not condition():
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, left))
            assert ready, f"not within {PATIENCE_S:g} s: {what}"
            read = os.read(self.process.stdout.fileno(), READ_BYTES)
            assert read, f"the zygote is gone while the test waits for {what}"
            *lines, self.unread = (self.unread + read).split(b"\n")
            for told in map(json.loads, lines):
                actor = self.known[told.pop("number")]
                for name, value in told.items():
                    setattr(actor, name, value)


@contextmanager
def acting() -> Iterator[Actors]:
    """Have actors ready; what is left of them ends with the block."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.chaos.zygote"],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Actors(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(PATIENCE_S)
