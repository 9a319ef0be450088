"""The views of jobs, read from their rows."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.job import Job
from tasks.contracts.views import JobView
from workers.projections.instants import rfc3339


def read_job_views(session: Session, _ring: Keyring, job_ids: Sequence[str]) -> list[tuple[int, JobView]]:
    """Return version and view of each job that exists."""
    rows = session.execute(
        select(
            Job.id,
            Job.client_id,
            Job.kind,
            Job.state,
            Job.subject_id,
            Job.attempts,
            Job.problem,
            Job.accepted_at,
            Job.updated_at,
            Job.version,
        ).where(Job.id.in_(job_ids))
    )
    return [
        (
            row.version,
            JobView(
                id=row.id,
                client_id=row.client_id,
                kind=row.kind,
                state=row.state,
                subject_id=row.subject_id,
                attempts=row.attempts,
                problem=row.problem,
                created_at=rfc3339(row.accepted_at),
                updated_at=rfc3339(row.updated_at),
            ),
        )
        for row in rows
    ]
