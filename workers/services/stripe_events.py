"""Stripe's events: matched to our payments, applied in one transaction per batch, and recorded."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.errors import ContractError
from models.invoice import Invoice
from models.payment import Payment
from models.refund import Refund
from models.stripe_event import StripeEventRow
from tasks.contracts.events import StripeEvent
from tasks.contracts.identity import system_id
from workers.gateways.balance_snapshots import dispute_snapshot, payout_snapshot
from workers.gateways.fraud_warnings import fraud_warning_snapshot
from workers.gateways.operations import own_operation, parse_operation
from workers.gateways.snapshots import charge_snapshot, payment_intent_snapshot, refund_snapshot
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.jobs.waiting import waiting
from workers.runtime import Runtime
from workers.services.fraud_warnings import FAMILY as FRAUD_WARNINGS
from workers.services.fraud_warnings import heed
from workers.services.invoice_events import FAMILIES as INVOICE_FAMILIES
from workers.services.invoice_events import (
    apply_invoice_event,
    find_invoice,
    is_of_invoices,
    locked_invoices,
    note_foreign,
)
from workers.services.ledger import post_payout
from workers.services.moves import Source
from workers.services.refreshes import ask_for_refresh
from workers.services.refunds import PATIENT_ATTEMPTS
from workers.services.stripe_disputes import apply_dispute
from workers.services.stripe_objects import Verdict, apply_charge, apply_payment_intent, mark_dirty
from workers.services.stripe_refunds import apply_refund

# With which the ids begin that our operations at Stripe are named after, of what is paid and of what is invoiced.
SUBJECTS = ("pay_", "ref_")
INVOICED = ("inv_",)
APPLIED_FAMILIES = ("payment_intent.", "charge.", "refund.", FRAUD_WARNINGS)
# They carry nothing of ours: a payment that a restored database has yet to learn of is told from a foreign one by time.
UNNAMED_FAMILIES = ("charge.dispute.", FRAUD_WARNINGS)
PAYOUT_PAID, PAYOUT_FAILED = "payout.paid", "payout.failed"  # they move money, and are of no payment


def matters(kind: str) -> bool:
    """Tell whether an event of that type may change anything here, so that it must not be missed."""
    return kind.startswith((*APPLIED_FAMILIES, *INVOICE_FAMILIES)) or kind in (PAYOUT_PAID, PAYOUT_FAILED)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, parsed as far as it must be.

    Args:
        operation_subject: the id of a payment, refund or invoice in its object's operation, if that is one of ours.
        payment_intent_id: the PaymentIntent that its object is or names.
    """

    id: str
    type: str
    created: dt.datetime
    fields: Mapping[str, Any]
    object_id: str | None
    operation_subject: str | None
    payment_intent_id: str | None

    @property
    def applies(self) -> bool:
        """Whether its type is one that changes payments."""
        return self.type.startswith(APPLIED_FAMILIES)


def parse_event(body: bytes, system: str) -> Event:
    """Read an event's body; `system` is the name by which this Tollgate marks what it makes.

    Raises:
        ContractError: if it is no event.
    """
    try:
        event = json.loads(body)
        fields = dict(event["data"]["object"])
        created = dt.datetime.fromtimestamp(event["created"], dt.UTC)
        identity, kind = _name(event["id"]), _name(event["type"])
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise ContractError(f"the body is no Stripe event: {type(error).__name__}") from None
    metadata = fields.get("metadata")
    operation = parse_operation(own_operation(metadata, system) or "") if isinstance(metadata, dict) else None
    subjects = INVOICED if kind.startswith(INVOICE_FAMILIES) else SUBJECTS
    is_intent = fields.get("object") == "payment_intent"
    object_id = _name_or_none(fields.get("id"))
    named = object_id if is_intent else _name_or_none(fields.get("payment_intent"))
    return Event(
        id=identity,
        type=kind,
        created=created,
        fields=fields,
        object_id=object_id,
        operation_subject=operation[0] if operation and operation[0].startswith(subjects) else None,
        payment_intent_id=named,
    )


def _name(value: object) -> str:
    # Stripe's ids and types are plain words; anything else is no event, and may be text that PostgreSQL refuses.
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(type(value).__name__)
    return value


def _name_or_none(value: object) -> str | None:
    return value if isinstance(value, str) and value.isprintable() else None


def apply_events(session: Session, runtime: Runtime, items: Sequence[tuple[JobRow, StripeEvent]]) -> list[Outcome]:
    """Apply a batch of events in one transaction; returns an outcome for each, in the order given."""
    outcomes: dict[str, Outcome] = {}
    readable: list[tuple[JobRow, Event]] = []
    system = system_id(runtime.settings.derivation_key)
    for job, contract in items:
        try:
            readable.append((job, parse_event(contract.body, system)))
        except ContractError as error:
            outcomes[job.id] = _unreadable(error)
    payments = _locked_payments(session, [event for _, event in readable if event.applies])
    invoices = locked_invoices(session, [event for _, event in readable if is_of_invoices(event)])
    # In the order in which they happened; within one second a PaymentIntent's word makes its charge's clear.
    for job, event in sorted(
        readable, key=lambda each: (each[1].created, not each[1].type.startswith("payment_intent."))
    ):
        try:
            if is_of_invoices(event):
                outcomes[job.id] = _apply_to_invoice(session, runtime, job, event, invoices)
            else:
                outcomes[job.id] = _apply(session, runtime, job, event, payments)
        except ContractError as error:
            outcomes[job.id] = _unreadable(error)
    return [outcomes[job.id] for job, _ in items]


def _locked_payments(session: Session, events: Sequence[Event]) -> list[Payment]:
    """Lock all payments that the events speak of, in the order of their ids, so that two batches can't deadlock."""
    subjects = {event.operation_subject for event in events if event.operation_subject}
    intents = {event.payment_intent_id for event in events if event.payment_intent_id}
    if not subjects and not intents:
        return []
    statement = (
        select(Payment)
        .where(
            or_(
                Payment.id.in_(subjects),
                Payment.stripe_id.in_(intents),
                Payment.id.in_(select(Refund.payment_id).where(Refund.id.in_(subjects))),
            )
        )
        .order_by(Payment.id)
        .with_for_update()
    )
    return list(session.scalars(statement))


def _apply(session: Session, runtime: Runtime, job: JobRow, event: Event, payments: Sequence[Payment]) -> Outcome:
    if event.type in (PAYOUT_PAID, PAYOUT_FAILED):
        source = Source("event", event.created, event.id)
        post_payout(session, payout_snapshot(event.fields), source, failed=event.type == PAYOUT_FAILED)
        return _recorded(session, job, event, "applied")
    if not event.applies:
        return _recorded(session, job, event, "recorded")
    payment = _find(event, payments)
    if payment is None and (event.operation_subject is not None or _may_come(job, event)):
        return _wait_for_row(runtime, job, event)
    if payment is None:
        return _recorded(session, job, event, "foreign")
    if payment.stripe_id is not None and event.payment_intent_id not in (None, payment.stripe_id):
        return _recorded(session, job, event, "foreign")
    payment.stripe_id = event.payment_intent_id or payment.stripe_id  # by it a fetch can clear up what is ambiguous
    verdict, refund_id = _apply_object(session, runtime, job, event, payment)
    if verdict is Verdict.AMBIGUOUS:
        ask_for_refresh(session, runtime, payment, slot=event.id, request_id=job.request_id)
    return _recorded(session, job, event, "applied", payment, refund_id)


def _apply_to_invoice(
    session: Session, runtime: Runtime, job: JobRow, event: Event, invoices: Sequence[Invoice]
) -> Outcome:
    invoice = find_invoice(event, invoices)
    if invoice is None and event.operation_subject is not None:
        return _wait_for_row(runtime, job, event)
    if invoice is None:
        note_foreign(session, event)
        return _recorded(session, job, event, "foreign")
    if event.operation_subject == invoice.id and invoice.stripe_id not in (None, event.object_id):
        return _recorded(session, job, event, "foreign")
    apply_invoice_event(session, runtime, job, event, invoice)
    return _recorded(session, job, event, "applied", invoice=invoice)


def _find(event: Event, payments: Sequence[Payment]) -> Payment | None:
    """Match by operation, then by id: the intent precedes the call, so our own events find their row."""
    by_operation = (payment for payment in payments if payment.id == event.operation_subject)
    by_id = (
        payment
        for payment in payments
        if event.payment_intent_id is not None and payment.stripe_id == event.payment_intent_id
    )
    return next(by_operation, None) or next(by_id, None)


def _may_come(job: JobRow, event: Event) -> bool:
    """Tell whether the payment of an event that carries nothing of ours may yet come out of the journal."""
    return event.type.startswith(UNNAMED_FAMILIES) and job.taken_in_late and job.attempts < PATIENT_ATTEMPTS


def _apply_object(
    session: Session, runtime: Runtime, job: JobRow, event: Event, payment: Payment
) -> tuple[Verdict, str | None]:
    """Return what became of the event's object, and our id of the refund that it is, if it is one."""
    source = Source("event", event.created, event.id)
    match event.fields.get("object"):
        case "payment_intent":
            snapshot = payment_intent_snapshot(event.fields)
            return apply_payment_intent(session, runtime, payment, snapshot, source), None
        case "charge":
            return apply_charge(session, runtime, payment, charge_snapshot(event.fields), source), None
        case "refund":
            applied = apply_refund(session, runtime, payment, refund_snapshot(event.fields), source)
            return applied.verdict, applied.refund_id
        case "dispute":
            return apply_dispute(session, runtime, payment, dispute_snapshot(event.fields), source), None
        case "radar.early_fraud_warning":
            heed(session, runtime, payment, fraud_warning_snapshot(event.fields), job.request_id)
            return Verdict.NOTHING_NEW, None
        case _:
            mark_dirty(payment)
            return Verdict.AMBIGUOUS, None


def _recorded(
    session: Session,
    job: JobRow,
    event: Event,
    outcome: str,
    payment: Payment | None = None,
    refund_id: str | None = None,
    invoice: Invoice | None = None,
) -> Outcome:
    session.execute(
        insert(StripeEventRow)
        .values(
            id=event.id,
            job_id=job.id,
            type=event.type,
            object_id=event.object_id,
            payment_id=None if payment is None else payment.id,
            invoice_id=None if invoice is None else invoice.id,
            created=event.created,
            outcome=outcome,
        )
        .on_conflict_do_nothing()
    )
    names = (None if payment is None else payment.id, refund_id, None if invoice is None else invoice.id)
    return done(lambda _session: None, touched=tuple(name for name in names if name is not None))


def _wait_for_row(runtime: Runtime, job: JobRow, event: Event) -> Outcome:
    spoken_of = event.operation_subject or event.payment_intent_id
    return waiting(runtime, job, "RowNotHere", f"{event.id} speaks of {spoken_of}, not here yet")


def _unreadable(error: ContractError) -> Outcome:
    return Outcome(
        "dead",
        error={"type": "ContractError", "message": str(error)},
        problem={"code": "unreadable", "detail": str(error)},
        verdict="never",
    )
