"""The jobs of Stripe's webhooks."""

from dataclasses import dataclass
from typing import ClassVar, Self

from config import queues
from config.retries import STRIPE_EVENT_AGE
from tasks.contracts.job import Kind


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """Apply one event. The body is kept as the bytes that Stripe signed: it can't be refused for what it holds."""

    KIND: ClassVar[Kind] = Kind(
        "stripe.event", queues.WEBHOOKS, max_age=STRIPE_EVENT_AGE, batch=50, shown=False, asks=False
    )

    body: bytes

    def to_bytes(self) -> bytes:
        """Return the body as it came."""
        return self.body

    @classmethod
    def from_bytes(cls, payload: bytes) -> Self:
        """Take the body as it came."""
        return cls(payload)
