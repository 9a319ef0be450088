"""What pays invoices: a payment that was made on the site before, or one that Stripe made for the invoice.

The PaymentIntent of an invoice's hosted page is Stripe's own. Once it has paid, it is taken in as a payment of ours, so
that ledger, fees, refunds and disputes know it as any other. It is fetched, so it does not matter what was heard of it
before.
"""

import json
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.encrypted import encrypt
from models.invoice import Invoice
from models.payment import Payment
from tasks.contracts.identity import derived_id
from workers.gateways.invoice_snapshots import PAYMENT_PAID, InvoicePaymentSnapshot
from workers.runtime import Runtime
from workers.services.moves import Source, note
from workers.services.refreshes import ask_for_refresh

SLOT = "adopted"  # of the fetch of a payment that was taken in: one for each, for ever


def credit(
    session: Session, runtime: Runtime, invoice: Invoice, payments: Sequence[InvoicePaymentSnapshot], source: Source
) -> bool:
    """Take note of what has paid an invoice, whose row the caller has locked; return whether that is news.

    Args:
        session: the caller's transaction.
        runtime: seals and derives what a new payment needs.
        invoice: the locked row.
        payments: as Stripe tells of them.
        source: who brought them.
    """
    known = invoice.payment_id
    for each in payments:
        if each.status == PAYMENT_PAID and each.payment_intent_id is not None:
            payment_id = _known(session, each.payment_intent_id) or _adopt(session, runtime, invoice, each, source)
            invoice.payment_id = invoice.payment_id or payment_id
    return invoice.payment_id != known


def _known(session: Session, payment_intent_id: str) -> str | None:
    return session.scalar(select(Payment.id).where(Payment.stripe_id == payment_intent_id))


def _adopt(session: Session, runtime: Runtime, invoice: Invoice, paid: InvoicePaymentSnapshot, source: Source) -> str:
    """Make the row of a payment that Stripe made for an invoice; what is to be known of it, a fetch tells."""
    settings = runtime.settings
    payment_id = derived_id("pay", settings.derivation_key, "stripe", paid.payment_intent_id or "")
    empty = {
        column: encrypt(settings.encryption_keys, "payments", column, payment_id, text)
        for column, text in (("booking_metadata", json.dumps({})), ("shopper_ip", ""), ("shopper_user_agent", ""))
    }
    payment = Payment(
        id=payment_id,
        client_id=invoice.client_id,
        job_id=invoice.job_id,
        customer_id=invoice.customer_id,
        invoice_id=invoice.id,
        booking_reference=invoice.booking_reference or invoice.id,
        amount=paid.amount_paid or invoice.total,
        currency=invoice.currency,
        status="processing",
        stripe_id=paid.payment_intent_id,
        **empty,
    )
    session.add(payment)
    session.flush()  # what follows reads it
    note(session, "payment", payment.id, old=None, new=payment.status, source=source)
    ask_for_refresh(session, runtime, payment, slot=SLOT, request_id="")
    return payment.id
