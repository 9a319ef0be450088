"""The entry point of reads that Redis could not answer."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from tasks.contracts.shows import ShowViews
from tasks.job import batch_job
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services import shows


@batch_job(ShowViews)
def show(session: Session, runtime: Runtime, items: Sequence[tuple[JobRow, ShowViews]]) -> list[Outcome]:
    """Show what a batch of reads missed."""
    return shows.show(session, runtime, items)
