"""The simulator's control API, as functions."""

import http.client
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sandbox.simulator.account import PUBLISHABLE_KEY

TIMEOUT_SECONDS = 10.0
LEDGER_SECONDS = 120.0  # for the facts of tens of thousands of payments
OK = 200


class SimulatorControlError(RuntimeError):
    """The simulator refused a control request."""


@dataclass(frozen=True, slots=True)
class SimulatorControl:
    """Steers and reads one simulator."""

    base_url: str
    publishable_key: str = PUBLISHABLE_KEY

    def ledger(self) -> dict[str, Any]:
        """Return all money facts, as durable as the simulator's own ledger."""
        return self._ask("GET", "ledger", timeout=LEDGER_SECONDS)

    def health(self) -> dict[str, Any]:
        """Return how much of everything there is, and the simulated time."""
        return self._ask("GET", "health")

    def add_faults(self, faults: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Add faults to the script."""
        return self._ask("POST", "faults", list(faults))

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults and how often each fired."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return found

    def clear_faults(self) -> None:
        """Forget all faults."""
        self._ask("DELETE", "faults")

    def webhooks(self, **settings: Any) -> dict[str, Any]:
        """Set how webhooks are delivered: `duplicates`, `shuffle`, `delay_ms`, `pause`, `retry_scale`."""
        return self._ask("POST", "webhooks", settings)

    def deliveries(self) -> dict[str, Any]:
        """Return how far deliveries are."""
        return self._ask("GET", "webhooks")

    def advance_clock(self, seconds: int) -> None:
        """Move the simulator's clock forward."""
        self._ask("POST", "clock", {"advance_seconds": seconds})

    def finish_refunds(self) -> int:
        """Bring every refund to its end that is pending or fails later; return how many there were."""
        return int(self._ask("POST", "refunds/finish", {})["finished"])

    def pay_invoice(self, invoice: str, card: str) -> dict[str, Any]:
        """Pay an invoice by a card on its page, as its customer does; return where that leads."""
        return self._ask("POST", "invoices/pay", {"invoice": invoice, "number": card})

    def dispute(self, charge: str, reason: str) -> dict[str, Any]:
        """Let a charge's bank charge all of it back, and return the dispute."""
        return self._ask("POST", "disputes", {"charge": charge, "reason": reason})

    def close_dispute(self, dispute: str, outcome: str) -> None:
        """Decide a dispute as its bank does, `won` or `lost`."""
        self._ask("POST", "disputes/close", {"dispute": dispute, "outcome": outcome})

    def switch_webhooks(self, *, on: bool) -> None:
        """Deliver what happens from now on, or lose it for good."""
        self._ask("POST", "webhook_endpoints/switch", {"on": on})

    def plant_fee(self, charge: str, fee: int) -> None:
        """Let Stripe have kept another amount of a charge than it told before, in minor units."""
        self._ask("POST", "plant/fee", {"charge": charge, "fee": fee})

    def _ask(self, method: str, path: str, body: Any = None, *, timeout: float = TIMEOUT_SECONDS) -> dict[str, Any]:
        connection = http.client.HTTPConnection(urlsplit(self.base_url).netloc, timeout=timeout)
        try:
            connection.request(method, f"/_simulator/{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        finally:
            connection.close()
        if response.status != OK:
            raise SimulatorControlError(f"{method} /_simulator/{path}: {answer.get('error', answer)}")
        return answer
