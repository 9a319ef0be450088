"""Intake: journal entries become job rows, in bulk; taking the same entry in again changes nothing."""

import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.orm import Session

from config.errors import ContractError, JournalNotReadableYetError, JournalRejectedError
from config.settings import WorkerSettings
from models.encrypted import encrypt_bytes
from tasks.contracts.job import Kind
from tasks.contracts.journal import JournalEntry
from tasks.contracts.kinds import contract_of
from workers.jobs.publish import Hint

LOG = logging.getLogger("tollgate.intake")
# Above every version: jobs that nobody asks for by id are never projected.
NEVER_PROJECTED = 2_147_483_647
MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Taken:
    """What an intake made of its entries.

    Args:
        hints: the messages to send, for jobs that are new.
        reused: entries whose idempotency key PostgreSQL knows with another body: to be shown as refused.
        known: ids of jobs that were there already.
        strange: entries of clients that PostgreSQL does not know: they wait until it does.
    """

    hints: list[Hint] = field(default_factory=list)
    reused: list[JournalEntry] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    strange: list[JournalEntry] = field(default_factory=list)


def check_entry(settings: WorkerSettings, fields: Mapping[bytes, bytes]) -> tuple[JournalEntry, dict[str, object]]:
    """Open a stream entry and return it with its job row.

    Raises:
        JournalRejectedError: if it is forged or broken, or of a kind that only other jobs leave behind.
        JournalNotReadableYetError: if it is genuine, but of a key, kind or version that this process does not know:
            the ingress was brought up to date first.
    """
    entry = JournalEntry.from_fields(fields)
    payload = entry.open(settings.journal_mac_keys, settings.journal_private_keys)
    try:
        contract = contract_of(entry.kind)
    except ContractError as error:
        raise JournalNotReadableYetError(f"{entry.job_id}: {error}") from error
    if not contract.KIND.posted:
        raise JournalRejectedError(f"{entry.job_id}: a job of the kind {entry.kind} does not come by the journal")
    if not 1 <= entry.version <= contract.KIND.version:  # what an older version wrote can still be read
        raise JournalNotReadableYetError(f"{entry.job_id}: version {entry.version} of {entry.kind} is unknown")
    try:
        contract.from_bytes(payload)
    except ContractError as error:
        raise JournalRejectedError(f"{entry.job_id}: {error}") from error
    return entry, _row(settings, entry, contract.KIND, payload)


def _row(settings: WorkerSettings, entry: JournalEntry, kind: Kind, payload: bytes) -> dict[str, object]:
    accepted_at = dt.datetime.fromtimestamp(entry.accepted_ms / MILLISECONDS, dt.UTC)
    return {
        "id": entry.job_id,
        "kind": kind.name,
        "queue": kind.queue,
        "contract_version": entry.version,
        "client_id": entry.client_id,
        "subject_id": entry.subject_id,
        "scope": entry.scope,
        "fingerprint": entry.fingerprint,
        "request_id": entry.request_id,
        "payload": encrypt_bytes(settings.encryption_keys, "jobs", "payload", entry.job_id, payload),
        "accepted_at": accepted_at,
        "expires_at": accepted_at + dt.timedelta(seconds=kind.max_age),
        "projected_version": 0 if kind.shown else NEVER_PROJECTED,
    }


_COLUMNS = {
    "id": "text",
    "kind": "text",
    "queue": "text",
    "contract_version": "int",
    "client_id": "text",
    "subject_id": "text",
    "scope": "text",
    "fingerprint": "text",
    "request_id": "text",
    "payload": "bytea",
    "accepted_at": "timestamptz",
    "expires_at": "timestamptz",
    "projected_version": "int",
}
# One statement whatever the number of rows. New rows are marked as published here, since their hints follow at once.
# In the journal's order, whatever PostgreSQL joins first: of two bodies under one key the first is kept.
_INSERT = text(f"""
INSERT INTO jobs ({", ".join(_COLUMNS)}, published_at, publish_number)
SELECT {", ".join(_COLUMNS)}, clock_timestamp(), nextval('job_publish_numbers')
FROM unnest({", ".join(f"CAST(:{column} AS {kind}[])" for column, kind in _COLUMNS.items())})
    WITH ORDINALITY AS entries ({", ".join(_COLUMNS)}, place)
WHERE client_id IN (SELECT clients.id FROM clients)
ORDER BY place
ON CONFLICT DO NOTHING RETURNING id, kind, queue
""")  # noqa: S608 - built of constants

# A client that asks again after Redis forgot gets a first view over a row that has moved on: show that row again.
_SHOW_AGAIN = text("""
WITH known AS (
    SELECT id FROM jobs WHERE id = ANY(:ids) AND projected_version < :never ORDER BY id FOR NO KEY UPDATE
), shown AS (
    UPDATE jobs SET projected_version = 0 FROM known WHERE jobs.id = known.id RETURNING subject_id
), theirs AS (
    SELECT id FROM payments WHERE id IN (SELECT subject_id FROM shown) ORDER BY id FOR NO KEY UPDATE
), paid_back AS (
    SELECT id FROM refunds WHERE id IN (SELECT subject_id FROM shown) ORDER BY id FOR NO KEY UPDATE
), invoiced AS (
    SELECT id FROM invoices WHERE id IN (SELECT subject_id FROM shown) ORDER BY id FOR NO KEY UPDATE
), together AS (
    SELECT id FROM invoice_batches WHERE id IN (SELECT subject_id FROM shown) ORDER BY id FOR NO KEY UPDATE
), invoices_again AS (
    UPDATE invoices SET projected_version = 0 FROM invoiced WHERE invoices.id = invoiced.id
), batches_again AS (
    UPDATE invoice_batches SET projected_version = 0 FROM together WHERE invoice_batches.id = together.id
), refunds_again AS (
    UPDATE refunds SET projected_version = 0 FROM paid_back WHERE refunds.id = paid_back.id
)
UPDATE payments SET projected_version = 0 FROM theirs WHERE payments.id = theirs.id
""")


def take_in(session: Session, entries: Sequence[tuple[JournalEntry, dict[str, object]]]) -> Taken:
    """Insert the rows of entries that are new, marked as published: the caller commits, then sends the hints.

    PostgreSQL keeps the scope (client, route, idempotency key) unique for ever, so whatever Redis forgot, a repeat
    is the same job or is refused.
    """
    by_id = {entry.job_id: entry for entry, _ in entries}
    rows = {str(row["id"]): row for _, row in entries}
    columns = {column: [row[column] for row in rows.values()] for column in _COLUMNS}
    hints = [Hint(row.id, row.kind, row.queue) for row in session.execute(_INSERT, columns)]
    new = {hint.job_id for hint in hints}
    taken = Taken(hints=hints)
    if len(new) < len(by_id):
        _sort_out_known(session, [entry for job_id, entry in by_id.items() if job_id not in new], taken)
    return taken


def _sort_out_known(session: Session, entries: Sequence[JournalEntry], taken: Taken) -> None:
    scopes = [entry.scope for entry in entries]
    holders = {
        row.scope: row.id
        for row in session.execute(text("SELECT id, scope FROM jobs WHERE scope = ANY(:scopes)"), {"scopes": scopes})
    }
    for entry in entries:
        holder = holders.get(entry.scope)
        if holder is None:
            taken.strange.append(entry)
        elif holder == entry.job_id:
            taken.known.append(entry.job_id)
        else:
            taken.reused.append(entry)
    session.execute(_SHOW_AGAIN, {"ids": list(holders.values()), "never": NEVER_PROJECTED})
