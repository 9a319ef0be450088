"""Follow-up jobs: what a job leaves to be done, inserted in its own transaction (the outbox)."""

import datetime as dt

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.settings import WorkerSettings
from models.encrypted import encrypt_bytes
from models.job import Job
from tasks.contracts.identity import Named, derived_id
from tasks.contracts.job import Contract
from workers.jobs.intake import NEVER_PROJECTED


def enqueue(
    session: Session,
    settings: WorkerSettings,
    contract: Contract,
    *,
    client_id: str,
    subject_id: str,
    slot: str,
    request_id: str,
    delay: float = 0.0,
) -> str:
    """Insert a job that the dispatcher will publish after the commit; the same slot twice is the same job.

    Args:
        session: the transaction of the job that leaves this one behind.
        settings: seal the payload and derive the id.
        contract: the job.
        client_id: in whose name it runs.
        subject_id: what it is about.
        request_id: the request that led to it.
        slot: names this piece of work for ever, for instance the event that asked for it.
        delay: seconds until it is due.

    Returns:
        the job's id.
    """
    kind = contract.KIND
    named = Named(
        job_id=derived_id("job", settings.derivation_key, kind.name, subject_id, slot),
        scope=derived_id("idk", settings.derivation_key, kind.name, subject_id, slot),
        fingerprint="",
    )
    insert_job(
        session,
        settings,
        contract,
        named,
        client_id=client_id,
        subject_id=subject_id,
        request_id=request_id,
        delay=delay,
    )
    return named.job_id


def insert_job(
    session: Session,
    settings: WorkerSettings,
    contract: Contract,
    named: Named,
    *,
    client_id: str,
    subject_id: str,
    request_id: str,
    delay: float = 0.0,
) -> bool:
    """Insert a job under given names, unless it is there already; return whether it is new.

    The same id or scope is the same job. The other arguments are those of `enqueue`.
    """
    kind, now = contract.KIND, session.execute(text("SELECT clock_timestamp()")).scalar_one()
    payload = encrypt_bytes(settings.encryption_keys, "jobs", "payload", named.job_id, contract.to_bytes())
    inserted = session.execute(
        insert(Job)
        .values(
            id=named.job_id,
            kind=kind.name,
            queue=kind.queue,
            contract_version=kind.version,
            client_id=client_id,
            subject_id=subject_id,
            scope=named.scope,
            fingerprint=named.fingerprint,
            request_id=request_id,
            payload=payload,
            accepted_at=now,
            next_run_at=now + dt.timedelta(seconds=delay),
            expires_at=now + dt.timedelta(seconds=kind.max_age),
            projected_version=NEVER_PROJECTED,
        )
        .on_conflict_do_nothing()
        .returning(Job.id)
    )
    return inserted.first() is not None
