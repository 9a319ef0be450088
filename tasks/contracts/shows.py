"""The job that shows what Redis has not: asked for by a read that found nothing there."""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import SHOW_VIEWS_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class ShowViews(JsonContract):
    """Show one thing, or a list with all that is on it; or say that there is none.

    Args:
        subject_id: the id of a payment, refund, invoice or job, or of a list.
        noun: for a list, by what its things belong together, one of `tasks.contracts.lists.NOUNS`; else None.
        value: of a list: the booking's reference, the customer's e-mail address, or the payment's id; else None.
        before: of a list: only what is older than the thing of that id; None for the newest.
    """

    KIND: ClassVar[Kind] = Kind(
        "views.show", queues.VIEWS, max_age=SHOW_VIEWS_AGE, batch=50, shown=False, asks=False, kept=False
    )

    subject_id: str
    noun: str | None = None
    value: str | None = None
    before: str | None = None
