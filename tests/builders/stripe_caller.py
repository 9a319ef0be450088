"""A process that does nothing but call Stripe, as one thread of a worker would: one call after the other.

`python -m tests.builders.stripe_caller '{…}'`. For every call that ended it prints one line of JSON.
"""

from __future__ import annotations

import itertools
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from config.errors import BreakerOpenError, StripeError
from tests.builders.processes import ROOT
from tests.builders.worker import worker_settings
from workers.runtime import create_runtime

PAUSE_S = 0.01  # between two calls


def main(options: dict[str, Any]) -> None:
    """Call until SIGTERM; each kind of call in turn, named in its description for the simulator's faults to match."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = worker_settings(
        redis_url=options["redis_url"],
        prefix=options["prefix"],
        stripe_url=options["stripe_url"],
        stripe={
            "breaker_failures": options["failures"],
            "breaker_reset": options["reset"],
            "read_timeout": options["read_timeout"],
        },
    )
    runtime = create_runtime(settings, "caller", shares_breaker=True)
    for kind in itertools.cycle(options["kinds"]):
        if stop.wait(PAUSE_S):
            break
        began = time.monotonic()
        try:
            runtime.stripe.create_payment_intent(
                amount=1000,
                currency="gbp",
                customer_id=options["customer"],
                description=f"{kind} of {options['name']}",
                metadata={},
                operation=f"pay_{secrets.token_hex(8)}:create:1",
                idempotency_key=secrets.token_hex(16),
            )
            outcome = "answered"
        except BreakerOpenError as error:
            outcome = "open" if "is open" in str(error) else "paused"
        except StripeError as error:
            outcome = type(error).__name__
        line = {"kind": kind, "began": began, "ended": time.monotonic(), "outcome": outcome}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    runtime.close()


@dataclass(frozen=True, slots=True)
class Call:
    """One call: monotonic seconds (of the machine, so that processes compare), and `answered`, `open` or an error."""

    caller: str
    kind: str
    began: float
    ended: float
    outcome: str

    @property
    def sent(self) -> bool:
        return self.outcome not in {"open", "paused"}


@dataclass(slots=True)
class Caller:
    """A running caller and the calls that it has told of."""

    name: str
    popen: subprocess.Popen[str]
    calls: list[Call] = field(default_factory=list)

    def listen(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self.calls.append(Call(self.name, **json.loads(line)))

    def last(self) -> str:
        """Return how the last call ended."""
        return self.calls[-1].outcome if self.calls else ""


@contextmanager
def calling(names: Sequence[str], **options: Any) -> Iterator[list[Caller]]:
    """Run callers; whatever becomes of the test, they are gone afterwards."""
    callers = [Caller(name, _start({**options, "name": name})) for name in names]
    threads = [threading.Thread(target=caller.listen) for caller in callers]
    for thread in threads:
        thread.start()
    try:
        yield callers
    finally:
        for caller in callers:
            caller.popen.kill()
        for caller, thread in zip(callers, threads, strict=True):
            caller.popen.wait()
            thread.join()
            if caller.popen.stdout is not None:
                caller.popen.stdout.close()


def _start(options: dict[str, Any]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.builders.stripe_caller", json.dumps(options)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
