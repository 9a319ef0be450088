"""The jobs of Stripe's webhooks."""

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from config import queues
from config.retries import HEAL_EVENTS_AGE, STRIPE_EVENT_AGE
from tasks.contracts import identity
from tasks.contracts.identity import Named
from tasks.contracts.job import JsonContract, Kind

# In whose name events are accepted, and where they come in: both are part of their jobs' ids.
CLIENT: Final = "stripe"
ROUTE: Final = "webhooks/stripe"


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


@dataclass(frozen=True, slots=True)
class HealEvents(JsonContract):
    """Compare Stripe's events with those that were handled, and bring in the ones whose webhooks were lost.

    Args:
        since: from when on events are compared (RFC 3339, by Stripe's clock); None for where the last look ended.
        until: up to when; None for as new as may be counted as lost. Given in jobs that go on with a look.
        after: the event after which this job goes on, towards older ones.
        missed: how many lost ones the look has found so far.
        newest: the newest event of the look.
    """

    KIND: ClassVar[Kind] = Kind(
        "events.heal", queues.MAINTENANCE, max_age=HEAL_EVENTS_AGE, shown=False, asks=False, posted=False
    )

    since: str | None = None
    until: str | None = None
    after: str | None = None
    missed: int = 0
    newest: str | None = None


def identity_of_event(key: bytes, event_id: str) -> Named:
    """Return under which names an event is kept: whoever brings it, and however often, it is the same job.

    The fingerprint is one of the id alone: a body that is delivered again differs in `pending_webhooks`, one from the
    Events API in its layout besides, and each is the same event.
    """
    fingerprint = identity.fingerprint(key, event_id.encode())
    return Named(
        job_id=identity.job_id(key, CLIENT, ROUTE, event_id, fingerprint),
        scope=identity.idempotency_scope(key, CLIENT, ROUTE, event_id),
        fingerprint=fingerprint,
    )
