"""Stripe's events of invoices and of what pays them: matched by operation, then by id, and applied."""

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from models.invoice import Invoice
from workers.gateways.invoice_snapshots import invoice_payment_snapshot, invoice_snapshot
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.invoice_numbers import remember_number
from workers.services.invoice_payments import credit
from workers.services.moves import Source
from workers.services.stripe_invoices import Told, apply_invoice, ask_for_invoice_refresh, restate
from workers.services.stripe_objects import Verdict

INVOICE, INVOICE_PAYMENT = "invoice.", "invoice_payment."
FAMILIES: Final = (INVOICE, INVOICE_PAYMENT)
SENT, OVERDUE, DELETED = "invoice.sent", "invoice.overdue", "invoice.deleted"


class InvoiceEvent(Protocol):
    """An event as far as it matters here (`workers.services.stripe_events.Event`)."""

    @property
    def id(self) -> str:
        """Stripe's id of it."""

    @property
    def type(self) -> str:
        """What happened."""

    @property
    def created(self) -> dt.datetime:
        """When, by Stripe's clock (UTC)."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its object."""

    @property
    def object_id(self) -> str | None:
        """The id of its object; a preview of an invoice has none."""

    @property
    def operation_subject(self) -> str | None:
        """Our id in its object's `tollgate_operation`."""


def is_of_invoices(event: InvoiceEvent) -> bool:
    """Tell whether an event is of an invoice that is there, or of what pays one."""
    return event.type.startswith(FAMILIES) and event.object_id is not None


def locked_invoices(session: Session, events: Sequence[InvoiceEvent]) -> list[Invoice]:
    """Lock all invoices that the events speak of, in the order of their ids; payments are locked before."""
    ours = {event.operation_subject for event in events if event.operation_subject}
    stripes = {name for event in events if (name := _invoice_of(event)) is not None}
    if not ours and not stripes:
        return []
    which = or_(Invoice.id.in_(ours), Invoice.stripe_id.in_(stripes))
    return list(session.scalars(select(Invoice).where(which).order_by(Invoice.id).with_for_update()))


def find_invoice(event: InvoiceEvent, invoices: Sequence[Invoice]) -> Invoice | None:
    """Match by operation, then by id: the intent precedes the call, so our own events find their row."""
    by_operation = (each for each in invoices if each.id == event.operation_subject)
    stripe_id = _invoice_of(event)
    by_id = (each for each in invoices if stripe_id is not None and each.stripe_id == stripe_id)
    return next(by_operation, None) or next(by_id, None)


def _invoice_of(event: InvoiceEvent) -> str | None:
    """Return Stripe's id of the invoice that an event is of."""
    name = event.object_id if event.type.startswith(INVOICE) else event.fields.get("invoice")
    return name if isinstance(name, str) else None


def apply_invoice_event(session: Session, runtime: Runtime, job: JobRow, event: InvoiceEvent, invoice: Invoice) -> None:
    """Apply an event to its invoice, whose row is locked; what it leaves in doubt is fetched.

    Raises:
        ContractError: its object is not what its type says.
    """
    source = Source("event", event.created, event.id)
    if event.type.startswith(INVOICE_PAYMENT):
        paid = invoice_payment_snapshot(event.fields)
        if credit(session, runtime, invoice, [paid], source):
            restate(session, runtime, invoice, source)
        return
    snapshot = invoice_snapshot(event.fields)
    if event.type == DELETED:  # a draft that staff have thrown away: nothing will ever come of it
        snapshot = dataclasses.replace(snapshot, status="void")
    told = Told(sent=event.type == SENT, overdue=event.type == OVERDUE)
    if apply_invoice(session, runtime, invoice, snapshot, source, told=told) is Verdict.AMBIGUOUS:
        ask_for_invoice_refresh(session, runtime, invoice, slot=event.id, request_id=job.request_id)


def note_foreign(session: Session, event: InvoiceEvent) -> None:
    """Keep the number of an invoice that is not ours: in one account all are numbered together."""
    if event.type.startswith(INVOICE) and event.fields.get("status") not in {None, "draft"}:
        snapshot = invoice_snapshot(event.fields)
        remember_number(session, snapshot.number, snapshot.id)
