"""The views of invoices, read from their rows and lines."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from config.keyring import Keyring
from models.encrypted import decrypt
from models.invoice import Invoice
from models.invoice_line import InvoiceLine, line_cell
from tasks.contracts.views import InvoiceView
from workers.projections.instants import rfc3339


def read_invoice_views(session: Session, ring: Keyring, invoice_ids: Sequence[str]) -> list[tuple[int, InvoiceView]]:
    """Return version and view of each invoice that exists."""
    rows = session.scalars(select(Invoice).where(Invoice.id.in_(invoice_ids))).all()
    lines = defaultdict[str, list[dict[str, Any]]](list)
    written = select(InvoiceLine).where(InvoiceLine.invoice_id.in_(invoice_ids))
    for line in session.scalars(written.order_by(InvoiceLine.invoice_id, InvoiceLine.position)):
        lines[line.invoice_id].append(_line(line, ring))
    return [(row.version, _view(row, ring, lines[row.id])) for row in rows]


def _line(row: InvoiceLine, ring: Keyring) -> dict[str, Any]:
    cell = line_cell(row.invoice_id, row.position)
    return {
        "description": decrypt(ring, "invoice_lines", "description", cell, row.description),
        "quantity": row.quantity,
        "unit_amount": row.unit_amount,
        "tax": row.tax,
        "net": row.net,
        "tax_amount": row.tax_amount,
    }


def _view(row: Invoice, ring: Keyring, lines: list[dict[str, Any]]) -> InvoiceView:
    def opened(column: str, sealed: bytes | None) -> str | None:
        return None if sealed is None else decrypt(ring, "invoices", column, row.id, sealed)

    return InvoiceView(
        id=row.id,
        client_id=row.client_id,
        job_id=row.job_id,
        status=row.status,
        number=row.number,
        currency=row.currency,
        subtotal=row.subtotal,
        tax_amount=row.tax_amount,
        total=row.total,
        amount_paid=row.amount_paid,
        tax_inclusive=row.tax_inclusive,
        lines=lines,
        purchase_order=opened("purchase_order", row.purchase_order),
        booking_reference=row.booking_reference,
        payment_id=row.payment_id or row.asked_payment_id,
        paid_out_of_band=row.paid_out_of_band,
        due_at=rfc3339(row.due_at) if row.due_at else None,
        sent_at=rfc3339(row.sent_at) if row.sent_at else None,
        paid_at=rfc3339(row.paid_at) if row.paid_at else None,
        hosted_invoice_url=opened("hosted_url", row.hosted_url),
        invoice_pdf=opened("pdf_url", row.pdf_url),
        stripe_invoice=row.stripe_id,
        created_at=rfc3339(row.created_at),
        updated_at=rfc3339(row.updated_at),
    )
