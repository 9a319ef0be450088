"""The entry point of Stripe's events."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tasks.contracts.events import StripeEvent
from tasks.job import batch_job
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services import stripe_events


@batch_job(StripeEvent)
def handle(session: Session, runtime: Runtime, items: Sequence[tuple[JobRow, StripeEvent]]) -> list[Outcome]:
    """Apply a batch of events."""
    return stripe_events.apply_events(session, runtime, items)
