"""The model's Stripe answers as the simulator does, which is held to Stripe's own documentation and types."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from config.errors import StripeError
from tests.builders.simulator import Simulator, running
from tests.builders.worker import worker_settings
from tests.model.fake_stripe import FORGOTTEN_SECONDS, FakeStripe
from workers.gateways.stripe import StripeGateway, idempotency_key, stripe_breaker

CREATES = {"method": "POST", "path": "^/v1/payment_intents$"}
# The model's faults in the simulator's words; `limited` and `shut` never reach Stripe's idempotency.
FAULTS: dict[str, dict[str, Any]] = {
    "lost": {"do": "drop"},
    "vanished": {"do": "reset"},
    "broken": {"do": "status", "status": 500},
    "acted": {"do": "status", "status": 500, "effect": True},
}


class Two:
    """The simulator and the model's Stripe, asked the same."""

    def __init__(self, simulator: Simulator) -> None:
        settings = worker_settings(stripe_url=simulator.url).stripe
        self.simulator = simulator
        self.real = StripeGateway(settings, stripe_breaker(settings), system="sys_1")
        self.now = 1_800_000_000.0
        self.fake = FakeStripe(lambda: self.now)
        self.operation = f"pay_{secrets.token_hex(8)}/create/1"
        self.customers = (self._customer(self.real), self._customer(self.fake))

    def create(self, *, fault: str | None = None, amount: int = 4950) -> tuple[Any, Any]:
        """Ask both for the PaymentIntent under the same key."""
        if fault is not None:
            self.simulator.faults({"match": CREATES, **FAULTS[fault]})
        self.fake.fault = fault
        return (
            _told(lambda: self._create(self.real, self.customers[0], amount)),
            _told(lambda: self._create(self.fake, self.customers[1], amount)),
        )

    def find(self) -> tuple[Any, Any]:
        """Ask both for what the operation made."""
        return (
            _told(lambda: self.real.find_payment_intent(customer_id=self.customers[0], operation=self.operation)),
            _told(lambda: self.fake.find_payment_intent(customer_id=self.customers[1], operation=self.operation)),
        )

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.simulator.control("POST", "clock", {"advance_seconds": seconds})

    def _customer(self, gateway: Any) -> str:
        name = f"cst_{secrets.token_hex(8)}/create/1"
        made = gateway.create_customer(
            name="Ada",
            email=f"{secrets.token_hex(4)}@example.org",
            operation=name,
            idempotency_key=idempotency_key(name),
        )
        return str(made.value)

    def _create(self, gateway: Any, customer: str, amount: int) -> Any:
        return gateway.create_payment_intent(
            amount=amount,
            currency="gbp",
            customer_id=customer,
            description=None,
            metadata={"tollgate_payment": self.operation.partition("/")[0]},
            operation=self.operation,
            idempotency_key=idempotency_key(self.operation),
        )


def _told(ask: Callable[[], Any]) -> Any:
    """Return what an answer or an error tells a job."""
    try:
        answer = ask()
    except StripeError as error:
        return type(error).__name__, error.replayed
    if answer is None:
        return None
    return answer.value.status, answer.value.amount, answer.value.operation, answer.replayed


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running() as process:
        yield process


@pytest.fixture
def two(simulator: Simulator) -> Iterator[Two]:
    both = Two(simulator)
    yield both
    both.real.close()


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_both_do_store_replay_list_and_forget_the_same(two: Two, fault: str | None) -> None:
    told = [
        two.create(fault=fault),
        two.find(),
        two.create(),
        two.find(),
        two.create(amount=9900),
    ]
    two.wait(int(FORGOTTEN_SECONDS) + 1)
    told += [two.create(amount=9900), two.create(amount=9900)]
    for number, (real, fake) in enumerate(told):
        assert fake == real, f"answer {number}"


def test_both_refuse_a_payment_that_is_too_small(two: Two) -> None:
    for real, fake in (two.create(amount=7), two.find(), two.create(amount=7)):
        assert fake == real
