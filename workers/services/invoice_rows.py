"""The rows of a new invoice, and whether it may be made at all."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.errors import StripeOutcomeUnknownError
from config.keyring import Keyring
from models.encrypted import encrypt
from models.invoice import CAME_TO_NOTHING, Invoice
from models.invoice_line import InvoiceLine, line_cell
from models.payment import Payment
from tasks.contracts.invoices import CreateInvoice, Line
from workers.jobs.order import earlier_job
from workers.jobs.outcome import Outcome
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting
from workers.runtime import Runtime
from workers.services import customers
from workers.services.announcements import announce
from workers.services.customers import KnownCustomer
from workers.services.invoice_steps import due_at
from workers.services.moves import Source, note
from workers.services.refusals import Refusal, refused
from workers.services.remainders import BRINGERS, NOT_PAID, PAID
from workers.services.stripe_invoices import locked_invoice

BEGUN: Final = "processing"  # an invoice's first status, if its job begins at all
UNKNOWN: Final = "payment_unknown"
# A restored database learns of payments from the journal again, in no certain order: before an attempt of this number,
# what it does not know proves nothing.
PATIENT_ATTEMPTS: Final = 8


def admit(session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice) -> str | Outcome | None:
    """Return the PaymentIntent by which the invoice is paid already, None for one that is still to be paid.

    The payment's row stays locked, so that two invoices of one payment can't both be the first.

    Returns:
        or the outcome of a job whose invoice can't be made, or not yet.

    Raises:
        StripeOutcomeUnknownError: the database was restored and may not know enough yet to refuse it.
    """
    payment = None if request.payment_id is None else _own(session, job, request.payment_id)
    stripe_id = None if payment is None else payment.stripe_id
    known = session.get(Invoice, request.invoice_id)
    admitted = known is not None and (known.stripe_id is not None or job.may_have_asked)
    if admitted or job.stopped_for is not None:
        return stripe_id
    refusal = _refusal(session, runtime, job, request, payment)
    if refusal is None:
        return stripe_id
    if refusal.code in {UNKNOWN, NOT_PAID} and request.payment_id is not None:
        earlier = earlier_job(session, job, request.payment_id, BRINGERS)
        if earlier is not None and not job.may_have_asked:
            return waiting(runtime, job, "EarlierOperation", f"{earlier} on its payment was accepted before")
    if job.taken_in_late and job.attempts < PATIENT_ATTEMPTS:
        raise StripeOutcomeUnknownError(f"{refusal.code}, as far as this database knows by now")
    if refusal.code in {UNKNOWN, NOT_PAID} and request.shown in PAID:
        message = f"{refusal.code}, though its client was shown that it is paid"
        return waiting(runtime, job, "DatabaseBehind", message)
    return refused(refusal)


def _own(session: Session, job: JobRow, payment_id: str) -> Payment | None:
    own = (Payment.id == payment_id, Payment.client_id == job.client_id)
    statement = select(Payment).where(*own).with_for_update().execution_options(populate_existing=True)
    return session.scalars(statement).one_or_none()


def _refusal(
    session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, payment: Payment | None
) -> Refusal | None:
    due = due_at(request)
    if due is not None and due <= job.accepted_at:
        return Refusal("due_date_past", "The due date was over when the invoice was asked for.")
    if request.payment_id is None:
        return None
    if payment is None:
        return Refusal(UNKNOWN, "There is no such payment.")
    return _flaw(request, payment) or _misfit(session, runtime, job, request, payment)


def _flaw(request: CreateInvoice, payment: Payment) -> Refusal | None:
    if payment.status != "paid" or payment.stripe_id is None:
        return Refusal(NOT_PAID, "Only a payment that is paid, and of which nothing was given back, is invoiced so.")
    if (payment.amount_received, payment.currency) != (request.total.gross, request.currency):
        paid = f"{payment.amount_received} {payment.currency}"
        return Refusal("payment_differs", f"The payment is of {paid}, the invoice of {request.total.gross}.")
    return None


def _misfit(
    session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, payment: Payment
) -> Refusal | None:
    customer = customers.remember(
        session,
        runtime.settings,
        client_id=job.client_id,
        name=request.customer_name,
        email=request.customer_email,
    )
    if payment.customer_id != customer.id:
        return Refusal("customer_differs", "The payment is of a customer with another e-mail address.")
    others = (
        Invoice.id != request.invoice_id,
        (Invoice.asked_payment_id == payment.id) | (Invoice.payment_id == payment.id),
        Invoice.status.not_in(CAME_TO_NOTHING),
    )
    if payment.invoice_id is not None or session.scalar(select(exists().where(*others))):
        return Refusal("payment_already_invoiced", "There is an invoice of this payment already.")
    return None


def remember(session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, *, status: str) -> KnownCustomer:
    """Make the rows of the customer, the invoice and its lines, unless they are there."""
    settings, total = runtime.settings, request.total
    customer = customers.remember(
        session,
        settings,
        client_id=job.client_id,
        name=request.customer_name,
        email=request.customer_email,
    )
    made = session.execute(
        insert(Invoice)
        .values(
            id=request.invoice_id,
            client_id=job.client_id,
            job_id=job.id,
            customer_id=customer.id,
            booking_reference=request.booking_reference,
            currency=request.currency,
            tax_inclusive=request.tax_inclusive,
            subtotal=total.net,
            tax_amount=total.tax,
            total=total.gross,
            status=status,
            sends=request.send,
            stays_draft=request.draft,
            asked_payment_id=request.payment_id,
            **_sealed(settings.encryption_keys, request),
        )
        .on_conflict_do_nothing(index_elements=[Invoice.id])
        .returning(Invoice.id)
    ).first()
    if made is not None:
        _add_lines(session, settings.encryption_keys, request.invoice_id, request.priced)
        source = Source("job", job.accepted_at, job.id)
        note(session, "invoice", request.invoice_id, old=None, new=status, source=source)
        if status != BEGUN:  # it ended before anything was begun; that it was begun its client knows
            announce(session, runtime, f"invoice.{status}", session.get_one(Invoice, request.invoice_id))
    return customer


def _add_lines(session: Session, ring: Keyring, invoice_id: str, lines: Sequence[Line]) -> None:
    session.execute(
        insert(InvoiceLine),
        [
            {
                "invoice_id": invoice_id,
                "position": position,
                "description": encrypt(
                    ring, "invoice_lines", "description", line_cell(invoice_id, position), line.description
                ),
                "quantity": line.quantity,
                "unit_amount": line.unit_amount,
                "tax": line.tax,
                "net": line.sum.net,
                "tax_amount": line.sum.tax,
            }
            for position, line in enumerate(lines, 1)
        ],
    )


def _sealed(ring: Keyring, request: CreateInvoice) -> dict[str, bytes | None]:
    texts = {
        "purchase_order": request.purchase_order,
        "memo": request.memo,
        "footer": request.footer,
        "booking_metadata": json.dumps(dict(request.metadata)),
    }
    return {
        column: None if text is None else encrypt(ring, "invoices", column, request.invoice_id, text)
        for column, text in texts.items()
    }


def locked_anyhow(session: Session, runtime: Runtime, job: JobRow, request: CreateInvoice, status: str) -> Invoice:
    """Return the invoice with its row locked, made in that status if it is not there yet."""
    remember(session, runtime, job, request, status=status)
    return locked_invoice(session, request.invoice_id)
