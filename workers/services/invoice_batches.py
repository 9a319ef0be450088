"""Batches of invoices: one job at the door, one job for each invoice behind it, all of them in one transaction.

From then on no invoice knows of the others: one that Stripe refuses, or that waits, holds nobody up.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from models.invoice_batch import InvoiceBatch
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoices import CreateInvoice
from workers.jobs.attempt import Attempt
from workers.jobs.follow_up import enqueue
from workers.jobs.outcome import FINAL_STATES, Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime

# What other jobs leave behind is shown to nobody; these were asked for, and their clients may read why one was refused.
# They were accepted with the batch: what was asked for after that waits for them, and what a restored database has
# forgotten is looked for at Stripe before it is made.
_SHOW = text("""
UPDATE jobs SET projected_version = 0, accepted_at = :accepted_at
WHERE id = ANY(:ids) AND projected_version > version
""")


def open_batch(attempt: Attempt, request: CreateInvoiceBatch) -> Outcome:
    """Leave a job behind for each invoice, and the batch's row, which tells whose they are.

    Raises:
        ContractError: if an invoice of it can't be read.
    """
    runtime, job = attempt.runtime, attempt.job
    contracts = {each["line"]: _contract(each["invoice"]) for each in request.invoices}
    names = tuple(contract.invoice_id for contract in contracts.values())
    return done(lambda session: _open(session, runtime, job, request, contracts), touched=(request.batch_id, *names))


def _contract(fields: Mapping[str, Any]) -> CreateInvoice:
    return CreateInvoice.from_bytes(json.dumps(fields).encode())


def _open(
    session: Session, runtime: Runtime, job: JobRow, request: CreateInvoiceBatch, contracts: Mapping[int, CreateInvoice]
) -> None:
    kept = [
        {"line": line, "invoice": contract.invoice_id, "job": _enqueue(session, runtime, job, request, contract)}
        for line, contract in sorted(contracts.items())
    ]
    session.execute(_SHOW, {"ids": [each["job"] for each in kept], "accepted_at": job.accepted_at})
    entries = sorted([*kept, *map(dict, request.refused)], key=lambda entry: entry["line"])
    _keep(session, job, request, entries)


def _keep(session: Session, job: JobRow, request: CreateInvoiceBatch, entries: Sequence[Mapping[str, Any]]) -> None:
    """Write what became of each line; of a batch that came to nothing first, and was replayed, the latest."""
    made = insert(InvoiceBatch).values(id=request.batch_id, client_id=job.client_id, job_id=job.id, entries=entries)
    again = {"entries": entries, "version": InvoiceBatch.version + 1}
    session.execute(made.on_conflict_do_update(index_elements=[InvoiceBatch.id], set_=again))


def _enqueue(
    session: Session, runtime: Runtime, job: JobRow, request: CreateInvoiceBatch, contract: CreateInvoice
) -> str:
    return enqueue(
        session,
        runtime.settings,
        contract,
        client_id=job.client_id,
        subject_id=contract.invoice_id,
        slot=request.batch_id,
        request_id=job.request_id,
    )


def settle_open(
    session: Session, _runtime: Runtime, job: JobRow, request: CreateInvoiceBatch, outcome: Outcome
) -> None:
    """Say of each line of a batch that is not opened any more why nothing comes of it, so that it is finished."""
    if outcome.state not in FINAL_STATES or outcome.problem is None:
        return
    problem = {**outcome.problem, "errors": []}
    lost = [{"line": each["line"], "problem": problem} for each in request.invoices]
    _keep(session, job, request, sorted([*lost, *map(dict, request.refused)], key=lambda entry: entry["line"]))
