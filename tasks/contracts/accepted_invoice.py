"""How an invoice reads that was accepted, and of which nothing is known yet but what was asked for."""

from typing import Any

from tasks.contracts.invoices import CreateInvoice
from tasks.contracts.views import InvoiceView


def accepted_invoice(contract: CreateInvoice, *, client_id: str, job_id: str, at: str) -> InvoiceView:
    """Return its first view.

    Args:
        contract: what was asked for.
        client_id: who asked.
        job_id: that makes it.
        at: when it was accepted, RFC 3339.
    """
    total = contract.total
    return InvoiceView(
        id=contract.invoice_id,
        client_id=client_id,
        job_id=job_id,
        status="processing",
        number=None,
        currency=contract.currency,
        subtotal=total.net,
        tax_amount=total.tax,
        total=total.gross,
        amount_paid=0,
        tax_inclusive=contract.tax_inclusive,
        lines=[
            _line(each, line.sum.net, line.sum.tax) for each, line in zip(contract.lines, contract.priced, strict=True)
        ],
        purchase_order=contract.purchase_order,
        booking_reference=contract.booking_reference,
        payment_id=contract.payment_id,
        paid_out_of_band=False,
        due_at=None,
        sent_at=None,
        paid_at=None,
        hosted_invoice_url=None,
        invoice_pdf=None,
        stripe_invoice=None,
        created_at=at,
        updated_at=at,
    )


def _line(line: Any, net: int, tax_amount: int) -> dict[str, Any]:
    return {**line, "net": net, "tax_amount": tax_amount}
