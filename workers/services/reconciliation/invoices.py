"""Invoices: each of Stripe's that is ours has its row, which says the same of status, total and what was paid.

They move no money: what pays them does, and is compared as charges are.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from workers.gateways.invoice_snapshots import InvoiceSnapshot
from workers.runtime import Runtime
from workers.services.reconciliation import here as known
from workers.services.reconciliation.at_stripe import Asking, AtStripe
from workers.services.reconciliation.breaks import Break, BreakKind, Fix
from workers.services.reconciliation.compare import MOST_LOOKS, Compared
from workers.services.reconciliation.here import Here

NOUN: Final = "invoice"
PAID: Final = "invoice_payment"  # of what was paid of it
DRAFT, VOID = "draft", "void"
Said = tuple[BreakKind, str, int | str, int | str | None, Fix | None]  # kind, noun, at Stripe, here, and what mends it


def compare_invoices(
    runtime: Runtime, compared: Compared, stripe: AtStripe, here: Here, settled: datetime, asking: Asking
) -> None:
    """Hold invoices against each other; one that changed no longer ago than news takes is left out.

    Args:
        runtime: reads what is known here once more.
        compared: takes what differs.
        stripe: what it says of the piece.
        here: what is known of it here.
        settled: what happened later, by Stripe's clock, need not be known here.
        asking: asks Stripe again where the two differ.
    """
    rows = {row.stripe_id: row for row in here.invoices if row.stripe_id is not None}
    looks = 0
    for listed in stripe.invoices:
        row, invoice = rows.get(listed.invoice.id), listed.invoice
        if row is None:
            if listed.operation is not None:
                _found(compared, (BreakKind.AT_STRIPE_NOT_HERE, NOUN, invoice.status, None, Fix.HEAL), invoice, None)
            continue
        if row.dirty or not any(_differences(invoice, row)):
            continue
        looks += 1
        if looks <= MOST_LOOKS:
            _look_again(runtime, compared, row, settled, asking)
    _look_for_unlisted(compared, stripe, here, asking)


def _look_again(runtime: Runtime, compared: Compared, row: Row[Any], settled: datetime, asking: Asking) -> None:
    invoice = asking.invoice(row.stripe_id)
    if invoice is None or invoice.changed_at >= settled:
        return
    with runtime.reading() as session:
        now = known.invoice_still(session, row.id)
    if not now.dirty:
        for said in _differences(invoice, now):
            _found(compared, said, invoice, row.id)


def _differences(invoice: InvoiceSnapshot, row: Row[Any]) -> Iterator[Said]:
    if invoice.currency != row.currency:
        yield BreakKind.CURRENCY_DIFFERS, NOUN, invoice.currency, row.currency, None
    if invoice.status != row.stripe_status:
        yield BreakKind.STATUS_DIFFERS, NOUN, invoice.status, row.stripe_status, Fix.REFRESH_INVOICE
    # A draft may have to get its lines yet.
    if invoice.total != row.total and invoice.status != DRAFT:
        yield BreakKind.AMOUNT_DIFFERS, NOUN, invoice.total, row.total, None
    if invoice.amount_paid != row.amount_paid:
        yield BreakKind.AMOUNT_DIFFERS, PAID, invoice.amount_paid, row.amount_paid, Fix.REFRESH_INVOICE


def _look_for_unlisted(compared: Compared, stripe: AtStripe, here: Here, asking: Asking) -> None:
    """Ask for the invoices that are known here since this time, and that are not among Stripe's of this time."""
    listed = {each.invoice.id for each in stripe.invoices}
    of_now = [row for row in here.invoices if compared.piece.since <= row.created_at < compared.piece.until]
    # A draft that staff have thrown away is void here, and gone there.
    unlisted = [row for row in of_now if row.stripe_id not in listed and row.stripe_status != VOID]
    for row in unlisted[:MOST_LOOKS]:
        if row.stripe_id is not None and asking.invoice(row.stripe_id) is None:
            day, kind = compared.piece.day, BreakKind.HERE_NOT_AT_STRIPE
            said = (None, row.stripe_status, 0, Fix.HEAL)
            compared.breaks.append(Break(kind, day, row.currency, NOUN, row.stripe_id, None, *said, row.id))


def _found(compared: Compared, said: Said, invoice: InvoiceSnapshot, invoice_id: str | None) -> None:
    kind, noun, theirs, ours, fix = said
    day, currency = compared.piece.day, invoice.currency
    compared.breaks.append(Break(kind, day, currency, noun, invoice.id, None, theirs, ours, 0, fix, invoice_id))
