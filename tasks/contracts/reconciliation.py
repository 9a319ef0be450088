"""The jobs of reconciliation."""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import RECONCILE_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class Reconcile(JsonContract):
    """Reconcile one piece of the daily run's time.

    Args:
        run: the run's id; None in the job that begins one.
        since, until: the run's time (RFC 3339, by Stripe's clock).
        number: which piece, from 0.
    """

    KIND: ClassVar[Kind] = Kind(
        "reconciliation.run", queues.MAINTENANCE, max_age=RECONCILE_AGE, shown=False, asks=False, posted=False
    )

    run: str | None = None
    since: str | None = None
    until: str | None = None
    number: int = 0
