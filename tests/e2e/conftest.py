"""One whole system for all end-to-end tests, on the simulator or, for `make test-stripe`, on Stripe's test mode."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from stripe import StripeClient

from sandbox.api_client import Answer
from sandbox.servers import BinaryMissingError
from sandbox.simulator.account import SECRET_KEY
from sandbox.system import System, running_system
from tests.e2e.stripe_side import PolledSide, SimulatorSide, StripeSide

STRIPE_KEY_VARIABLE = "TOLLGATE_TEST_STRIPE_KEY"
DEADLINE_S = 40.0  # a rescue takes a lease of 15 s and what follows
POLL_S = 0.05


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, started as `make run` starts it."""
    folder = tmp_path_factory.mktemp("a system") / "run"
    try:
        with running_system(folder, stripe_key=os.environ.get(STRIPE_KEY_VARIABLE)) as running:
            yield running
    except BinaryMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session", params=["delivered", "polled"])
def stripe_side(system: System, request: pytest.FixtureRequest) -> StripeSide:
    """Stripe as the tests see it; on the simulator both ways, so that the one for test mode is known to work."""
    key = os.environ.get(STRIPE_KEY_VARIABLE)
    if key is not None:
        if request.param == "delivered":
            pytest.skip("Stripe's test mode can't deliver webhooks to this machine: events are polled")
        return PolledSide(system, StripeClient(key))
    client = StripeClient(SECRET_KEY, base_addresses={"api": system.simulator.base_url})
    return SimulatorSide(system, client) if request.param == "delivered" else PolledSide(system, client)


@dataclass(frozen=True)
class Website:
    """The website's server in a test: posts bookings and reads payments until they are where they should be."""

    system: System
    stripe: StripeSide

    def booking(self, **changes: Any) -> dict[str, Any]:
        return {
            "amount": 12_500,
            "currency": "gbp",
            "booking_reference": f"E-{secrets.token_hex(6)}",
            "customer": {"name": "Ada Byron", "email": f"ada.{secrets.token_hex(4)}@example.org"},
            "shopper": {"ip": "192.0.2.1", "user_agent": "a browser"},
            **changes,
        }

    def post(self, body: dict[str, Any] | None = None, key: str | None = None, wait: int | None = 10) -> Answer:
        body = body or self.booking()
        return self.system.api.post_payment(body, key or str(body["booking_reference"]), wait=wait)

    def ready_payment(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """A payment with its client secret."""
        answer = self.post(body)
        assert answer.status in {200, 202}, answer
        return self.until(answer.body["payment"]["id"], "requires_confirmation")

    def until(self, payment_id: str, status: str) -> dict[str, Any]:
        """The payment, once it has that status."""
        deadline = time.monotonic() + DEADLINE_S
        pause = threading.Event()
        payment: dict[str, Any] = {}
        while time.monotonic() < deadline:
            payment = self.system.api.payment(payment_id).body
            if payment.get("status") == status:
                return payment
            self.stripe.deliver()
            pause.wait(POLL_S)
        raise AssertionError(f"not {status} after {DEADLINE_S:.0f} s: {payment}")


@pytest.fixture
def website(system: System, stripe_side: StripeSide) -> Website:
    return Website(system, stripe_side)


@pytest.fixture
def simulated_website(system: System) -> Website:
    """A website beside the simulator, for tests that steer it."""
    if STRIPE_KEY_VARIABLE in os.environ:
        pytest.skip("steers the simulator, which does not run beside Stripe's test mode")
    client = StripeClient(SECRET_KEY, base_addresses={"api": system.simulator.base_url})
    return Website(system, SimulatorSide(system, client))
