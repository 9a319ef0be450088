"""The views of refunds, read from their rows; while a refund has none, from its job."""

from collections.abc import Sequence

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.encrypted import decrypt_bytes
from models.job import Job
from models.refund import Refund
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.views import RefundView
from workers.projections.instants import rfc3339

# What a job without a row says of its refund. A row begins when an amount is reserved, so nothing was given back.
_WITHOUT_ROW = {"refused": "refused", "cancelled": "refused", "dead": "refused", "checking": "checking"}


def read_refund_views(session: Session, ring: Keyring, refund_ids: Sequence[str]) -> list[tuple[int, RefundView]]:
    """Return version and view of each refund that exists, or that a job is to make."""
    rows = session.scalars(select(Refund).where(Refund.id.in_(refund_ids))).all()
    missing = set(refund_ids) - {row.id for row in rows}
    views = [(row.version, _view(row)) for row in rows]
    return views + _unmade(session, ring, missing) if missing else views


def _view(row: Refund) -> RefundView:
    return RefundView(
        id=row.id,
        client_id=row.client_id,
        payment_id=row.payment_id,
        job_id=row.job_id,
        status=row.status,
        amount=row.amount,
        currency=row.currency,
        reason=row.reason,
        failure_reason=row.failure_reason,
        stripe_refund=row.stripe_id,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
    )


def _unmade(session: Session, ring: Keyring, refund_ids: set[str]) -> list[tuple[int, RefundView]]:
    """Return the views of refunds that were refused, or have not begun, with the versions of their jobs."""
    jobs = session.execute(
        select(Job.id, Job.client_id, Job.subject_id, Job.state, Job.verdict, Job.payload, Job.version)
        .add_columns(Job.accepted_at, Job.updated_at)
        .where(Job.subject_id.in_(refund_ids), Job.kind == CreateRefund.KIND.name)
    )
    return [(job.version, _view_of_job(job, ring)) for job in jobs]


def _view_of_job(job: Row[tuple[object, ...]], ring: Keyring) -> RefundView:
    asked = CreateRefund.from_bytes(decrypt_bytes(ring, "jobs", "payload", job.id, job.payload))
    in_doubt = job.state == "dead" and job.verdict != "safe_to_replay"
    return RefundView(
        id=job.subject_id,
        client_id=job.client_id,
        payment_id=asked.payment_id,
        job_id=job.id,
        status="checking" if in_doubt else _WITHOUT_ROW.get(job.state, "processing"),
        amount=asked.amount or 0,
        currency=None,
        reason=asked.reason,
        failure_reason=None,
        stripe_refund=None,
        created_at=rfc3339(job.accepted_at),
        updated_at=rfc3339(job.updated_at),
    )
