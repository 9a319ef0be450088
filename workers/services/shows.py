"""Shows: what a read found missing in Redis is shown there, or said to be absent."""

from collections.abc import Sequence

from redis.exceptions import RedisError
from sqlalchemy.orm import Session

from config.errors import RedisAwayError
from tasks.contracts.shows import ShowViews
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.projections.missing import show_missing
from workers.runtime import Runtime


def show(_session: Session, runtime: Runtime, items: Sequence[tuple[JobRow, ShowViews]]) -> list[Outcome]:
    """Show what a batch of reads missed; returns an outcome for each.

    It is done before the jobs' end is committed. If a worker dies in between, another does it again: nothing changes.

    Raises:
        RedisAwayError: there is nobody to show it to.
        DatabaseAwayError: if PostgreSQL went away.
    """
    try:
        show_missing(runtime, [(job.client_id, request) for job, request in items])
    except RedisError as error:
        raise RedisAwayError(f"Redis does not answer: {type(error).__name__}") from error
    return [done(lambda _session: None) for _ in items]
