"""A simulator as a real process, and clients for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stripe

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 10.0
KEY = "sk_test_simulator"
PAGE = 100  # objects, the most that Stripe lists at once


@dataclass
class Simulator:
    """A running simulator and what is needed to talk to it."""

    process: subprocess.Popen[str]
    url: str
    arguments: list[str] = field(default_factory=list)

    @property
    def client(self) -> stripe.StripeClient:
        return stripe.StripeClient(KEY, base_addresses={"api": self.url}, max_network_retries=0)

    def client_with(self, key: str) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.url}, max_network_retries=0)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control API and return its JSON."""
        request = urllib.request.Request(  # noqa: S310  # the scheme is ours
            f"{self.url}/_simulator/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # the scheme is ours
            return json.load(response)

    def listed(self, noun: str, **parameters: Any) -> list[dict[str, Any]]:
        """Return all that Stripe lists of a noun, as its JSON, the newest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            query = urllib.parse.urlencode({"limit": PAGE, **parameters, **after})
            request = urllib.request.Request(  # noqa: S310  # the scheme is ours
                f"{self.url}/v1/{noun}?{query}", headers={"Authorization": f"Bearer {KEY}"}
            )
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310  # the scheme is ours
                page = json.load(response)
            found += page["data"]
            if not page["has_more"]:
                return found

    def events_of(self, *names: str, **parameters: Any) -> list[tuple[str, bytes]]:
        """Return type and body of the events that name one of these, the oldest first; without a name of all."""
        bodies = [(each["type"], json.dumps(each).encode()) for each in reversed(self.listed("events", **parameters))]
        return [(kind, body) for kind, body in bodies if not names or any(name.encode() in body for name in names)]

    def faults(self, *rules: dict[str, Any]) -> None:
        self.control("POST", "faults", list(rules))

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """End the process politely and return its exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)


def start(*arguments: str) -> Simulator:
    """Start a simulator on a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.simulator", "--port", "0", "--quiet", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.startswith("listening on "), f"the simulator did not start: {first!r}"
    return Simulator(process, first.removeprefix("listening on ").strip(), list(arguments))


@contextmanager
def running(*arguments: str) -> Iterator[Simulator]:
    """Run a simulator and make sure that it is gone afterwards."""
    simulator = start(*arguments)
    try:
        yield simulator
    finally:
        if simulator.process.poll() is None:
            simulator.kill()
        if simulator.process.stdout is not None:
            simulator.process.stdout.close()
