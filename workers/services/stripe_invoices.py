"""The one place that applies a Stripe invoice, whoever brought it: response, event or fetch.

An invoice's statuses follow one another in one direction, so older news changes nothing, in whatever order it comes
(https://docs.stripe.com/invoicing/overview#invoice-statuses). Within one status Stripe's clock decides; what differs
within one of its seconds nobody can put in order, so the invoice is fetched once.
"""

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.encrypted import encrypt
from models.invoice import ON_THE_WAY, REACHED, Invoice
from tasks.contracts.invoices import RefreshInvoice
from workers.gateways.invoice_snapshots import PAYMENT_PAID, InvoiceSnapshot
from workers.jobs.follow_up import enqueue
from workers.runtime import Runtime
from workers.services.invoice_numbers import remember_number
from workers.services.invoice_payments import credit
from workers.services.moves import Source, move
from workers.services.refreshes import SETTLE_SECONDS
from workers.services.stripe_objects import Verdict

LOG = logging.getLogger("tollgate.stripe_invoices")
RANKS: Final = {"draft": 0, "open": 1, "uncollectible": 2, "paid": 3, "void": 3}
DRAFT: Final = "draft"


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of an invoice besides itself: that Stripe has mailed it, or found it overdue."""

    sent: bool = False
    overdue: bool = False


NOTHING_MORE: Final = Told()


def apply_invoice(
    session: Session,
    runtime: Runtime,
    invoice: Invoice,
    snapshot: InvoiceSnapshot,
    source: Source,
    *,
    told: Told = NOTHING_MORE,
    authoritative: bool = False,
) -> Verdict:
    """Apply an invoice to its row, which the caller has locked.

    Args:
        session: the caller's transaction.
        runtime: seals the addresses, and the payment that paid it.
        invoice: the locked row.
        snapshot: the invoice.
        source: who brought it.
        told: what the source tells besides.
        authoritative: it was fetched after all that the row knows, so a tie goes to it.
    """
    if invoice.stripe_id not in (None, snapshot.id):
        LOG.error("invoice %s is %s, and not %s: nothing taken", invoice.id, invoice.stripe_id, snapshot.id)
        return Verdict.NOTHING_NEW
    if snapshot.status not in RANKS:
        LOG.error("invoice %s has a status that is not known: %s", invoice.id, snapshot.status)
        return Verdict.NOTHING_NEW
    verdict = _judge(invoice, snapshot, source, authoritative=authoritative)
    if verdict is Verdict.TAKEN:
        _take(runtime, invoice, snapshot, source)
    _hear(invoice, told, source)
    changed = session.is_modified(invoice)  # asked before the next query, which writes it out
    if snapshot.status != DRAFT:
        remember_number(session, snapshot.number, snapshot.id)
    if snapshot.payments is not None:
        changed = credit(session, runtime, invoice, snapshot.payments, source) or changed
    if _is_paid_by_nobody(invoice) and snapshot.payments is None:
        verdict = Verdict.AMBIGUOUS  # an event does not tell by which payment it was paid
    elif _is_paid_by_nobody(invoice):
        invoice.paid_out_of_band = changed = True
    if verdict is Verdict.AMBIGUOUS:
        mark_dirty(invoice)
    if changed:
        restate(session, runtime, invoice, source)
    return verdict


def _is_paid_by_nobody(invoice: Invoice) -> bool:
    return invoice.stripe_status == PAYMENT_PAID and invoice.payment_id is None and not invoice.paid_out_of_band


def _judge(invoice: Invoice, snapshot: InvoiceSnapshot, source: Source, *, authoritative: bool) -> Verdict:
    known, new = RANKS.get(invoice.stripe_status or "", -1), RANKS[snapshot.status]
    if new < known:
        return Verdict.NOTHING_NEW
    if authoritative or new > known or invoice.snapshot_at is None:
        return Verdict.TAKEN
    further = REACHED.index(_reached(snapshot)) > REACHED.index(invoice.reached)
    if further or snapshot.amount_paid > invoice.amount_paid:
        return Verdict.TAKEN  # both only grow, so it is newer whatever its clock says
    if source.as_of != invoice.snapshot_at:
        return Verdict.TAKEN if source.as_of > invoice.snapshot_at else Verdict.NOTHING_NEW
    same = (invoice.stripe_status, invoice.due_at) == (snapshot.status, snapshot.due_at)
    return Verdict.NOTHING_NEW if same else Verdict.AMBIGUOUS


def _take(runtime: Runtime, invoice: Invoice, snapshot: InvoiceSnapshot, source: Source) -> None:
    ring = runtime.settings.encryption_keys
    invoice.stripe_id = snapshot.id
    invoice.stripe_status = snapshot.status
    invoice.snapshot_at = max(source.as_of, invoice.snapshot_at or source.as_of)
    invoice.number = snapshot.number or invoice.number
    invoice.amount_paid = max(invoice.amount_paid, snapshot.amount_paid)
    invoice.due_at = snapshot.due_at
    invoice.paid_at = snapshot.paid_at or invoice.paid_at
    invoice.paid_out_of_band = invoice.paid_out_of_band or snapshot.paid_elsewhere > 0
    invoice.reached = max(invoice.reached, _reached(snapshot), key=REACHED.index)
    # Sealed anew each time they would never be the same, and every event would look like a change.
    if snapshot.hosted_url is not None and invoice.hosted_url is None:
        invoice.hosted_url = encrypt(ring, "invoices", "hosted_url", invoice.id, snapshot.hosted_url)
    if snapshot.pdf_url is not None and invoice.pdf_url is None:
        invoice.pdf_url = encrypt(ring, "invoices", "pdf_url", invoice.id, snapshot.pdf_url)


def _reached(snapshot: InvoiceSnapshot) -> str:
    if snapshot.status != DRAFT:
        return "finalized"
    return "lined" if snapshot.has_lines else "drafted"


def _hear(invoice: Invoice, told: Told, source: Source) -> None:
    if told.sent and (invoice.sent_at is None or source.as_of > invoice.sent_at):
        invoice.sent_at = source.as_of
    if told.overdue and invoice.overdue_at is None and _is_past_its_day(invoice, source.as_of):
        invoice.overdue_at = source.as_of


def _is_past_its_day(invoice: Invoice, at: dt.datetime) -> bool:
    """Tell whether the whole day, in UTC, has passed on which it was due; Stripe calls it overdue at the due moment."""
    return invoice.due_at is None or invoice.due_at.astimezone(dt.UTC).date() < at.astimezone(dt.UTC).date()


def restate(session: Session, runtime: Runtime, invoice: Invoice, source: Source) -> None:
    """Bring an invoice's status in line with its facts, of which some have changed, and write the move."""
    move(session, runtime, invoice, status_of(invoice), source)


def mark_dirty(invoice: Invoice) -> None:
    """Note that something was heard which only a fetch can clear up; by the version a fetch under way notices it."""
    invoice.dirty = True
    invoice.version += 1


def status_of(invoice: Invoice) -> str:
    """Return the status that follows from an invoice's facts.

    A draft that is on its way to be more stays `processing` or `checking` for its client.
    """
    match invoice.stripe_status:
        case None:
            return invoice.status
        case "draft":
            whole = invoice.stays_draft and invoice.reached != "drafted"
            return invoice.status if invoice.status in ON_THE_WAY and not whole else DRAFT
        case "open" if invoice.overdue_at is not None:
            return "overdue"
        case "open":
            return "open" if invoice.sent_at is None else "sent"
        case other:
            return other


def ask_for_invoice_refresh(
    session: Session, runtime: Runtime, invoice: Invoice, *, slot: str, request_id: str
) -> None:
    """Leave a job that fetches a dirty invoice once; the same slot asks only once."""
    enqueue(
        session,
        runtime.settings,
        RefreshInvoice(invoice.id),
        client_id=invoice.client_id,
        subject_id=invoice.id,
        slot=slot,
        request_id=request_id,
        delay=SETTLE_SECONDS,
    )


def locked_invoice(session: Session, invoice_id: str) -> Invoice:
    """Return an invoice with its row locked."""
    return session.execute(
        select(Invoice).where(Invoice.id == invoice_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
