"""Invoices that are accepted and not begun: they have no row yet, and in a long batch not for minutes."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.encrypted import decrypt_bytes
from models.job import Job
from tasks.contracts.accepted_invoice import accepted_invoice
from tasks.contracts.invoice_batches import CreateInvoiceBatch
from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.views import FINAL_JOB_STATES, InvoiceView
from workers.jobs.due import WAITS
from workers.projections.instants import rfc3339

INVOICE_PREFIX: Final = "inv_"
_TO_BE_OPENED = text(f"""
SELECT EXISTS (SELECT FROM jobs WHERE queue = :queue AND kind = :kind AND (state = 'running' OR {WAITS}))
""")  # noqa: S608 - built of constants
_BATCHES: Final = {"queue": CreateInvoiceBatch.KIND.queue, "kind": CreateInvoiceBatch.KIND.name}


def read_unbegun_invoices(session: Session, ring: Keyring, names: Sequence[str]) -> list[InvoiceView]:
    """Return the views of those of the names that are invoices which a job has yet to begin.

    Raises:
        SealBrokenError, KeyringError: if what was asked for can't be opened.
    """
    invoices = [name for name in names if name.startswith(INVOICE_PREFIX)]
    if not invoices:
        return []
    unbegun = (Job.kind == CreateInvoice.KIND.name, Job.subject_id.in_(invoices), Job.state.not_in(FINAL_JOB_STATES))
    return [_view(job, ring) for job in session.scalars(select(Job).where(*unbegun))]


def _view(job: Job, ring: Keyring) -> InvoiceView:
    contract = CreateInvoice.from_bytes(decrypt_bytes(ring, "jobs", "payload", job.id, job.payload))
    return accepted_invoice(contract, client_id=job.client_id, job_id=job.id, at=rfc3339(job.accepted_at))


def in_no_batch(session: Session, names: Sequence[str]) -> list[str]:
    """Return those of the names that can't be of a batch's invoices.

    A client is told the ids of its batch's invoices at once, and no row tells of them before the batch is opened.
    """
    if any(name.startswith(INVOICE_PREFIX) for name in names) and session.scalar(_TO_BE_OPENED, _BATCHES):
        return [name for name in names if not name.startswith(INVOICE_PREFIX)]
    return list(names)
