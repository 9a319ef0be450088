"""What payments, refunds, invoices and bookings have to tell: how they stand, their moves, money, and flags."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from workers.timelines.line import Clock, Line

_PAYMENTS = text("""
SELECT payments.id, payments.client_id, booking_reference, amount, currency, status, amount_received, amount_refunded,
       payments.stripe_id, stripe_charge_id, payments.created_at, paid_at, hold_expires_at, hold_late, dirty,
       version > projected_version AS view_behind, customer_id, customers.stripe_id AS stripe_customer,
       customers.created_at AS customer_created_at
FROM payments JOIN customers ON customers.id = payments.customer_id WHERE payments.id = ANY(:ids)
ORDER BY payments.created_at, payments.id
""")
_REFUNDS = text("""
SELECT id, payment_id, job_id, amount, currency, reason, status, failure_reason, stripe_id, created_at
FROM refunds WHERE id = ANY(:ids) ORDER BY created_at, id
""")
_INVOICES = text("""
SELECT id, job_id, number, subtotal, tax_amount, total, currency, status, reached, amount_paid, paid_out_of_band,
       payment_id, booking_reference, stripe_id, created_at, due_at, sent_at, paid_at, dirty
FROM invoices WHERE id = ANY(:ids) ORDER BY created_at, id
""")
_DISPUTES = text("""
SELECT id, payment_id, stripe_id, case_type, status, reason, network_reason_code, amount, withdrawn, reinstated,
       currency, due_at, submissions, past_due, opened_at
FROM disputes WHERE payment_id = ANY(:ids) ORDER BY opened_at, id
""")
_HISTORY = text("""
SELECT noun, subject_id, old, new, source, evidence, recorded_at FROM history WHERE subject_id = ANY(:ids) ORDER BY id
""")
_EVENTS = text("""
SELECT id, job_id, type, object_id, payment_id, created, outcome, handled_at FROM stripe_events
WHERE payment_id = ANY(:payments)
UNION SELECT id, job_id, type, object_id, payment_id, created, outcome, handled_at FROM stripe_events
WHERE job_id = ANY(:jobs)
ORDER BY created, id
""")
_LEDGER = text("""
SELECT ledger_transactions.id, kind, stripe_id, payment_id, ledger_transactions.currency, occurred_at, evidence,
       recorded_at, json_agg(json_build_object('account', account, 'amount', amount) ORDER BY ledger_entries.id)
           AS entries
FROM ledger_transactions JOIN ledger_entries ON ledger_entries.transaction_id = ledger_transactions.id
WHERE payment_id = ANY(:ids) GROUP BY ledger_transactions.id ORDER BY ledger_transactions.id
""")
_EVIDENCE = text("""
SELECT job_id, field, payment_id, characters, created_at FROM payment_evidence WHERE payment_id = ANY(:ids)
ORDER BY created_at, job_id, field
""")
_FLAGS = text("""
SELECT kind, subject_id, details, raised_at, cleared_at FROM flags WHERE subject_id = ANY(:ids) ORDER BY id
""")


def standing(
    session: Session, payments: Sequence[str], refunds: Sequence[str], invoices: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return how payments, their disputes, refunds and invoices stand now, without anything personal."""
    return {
        "payments": [dict(row) for row in session.execute(_PAYMENTS, {"ids": list(payments)}).mappings()],
        "refunds": [dict(row) for row in session.execute(_REFUNDS, {"ids": list(refunds)}).mappings()],
        "invoices": [dict(row) for row in session.execute(_INVOICES, {"ids": list(invoices)}).mappings()],
        "disputes": [dict(row) for row in session.execute(_DISPUTES, {"ids": list(payments)}).mappings()],
    }


def lines_of_payments(session: Session, ids: Sequence[str]) -> Iterator[Line]:
    """Tell of payments what is in no history."""
    customers = set()
    for row in session.execute(_PAYMENTS, {"ids": list(ids)}):
        if row.customer_id not in customers:
            customers.add(row.customer_id)
            words = f"a customer of {row.client_id}, at Stripe {row.stripe_customer or 'not known so far'}"
            details = {"customer": row.customer_id, "stripe_customer": row.stripe_customer}
            yield Line(row.customer_created_at, Clock.OURS, "customer", row.customer_id, words, details)
        yield from _payment(row)


def _payment(row: Row[Any]) -> Iterator[Line]:
    money = f"{row.amount} {row.currency}"
    booking = {"booking_reference": row.booking_reference, "amount": row.amount, "currency": row.currency}
    words = f"payment of {money} for booking {row.booking_reference}"
    yield Line(row.created_at, Clock.OURS, "payment", row.id, words, booking)
    if row.hold_expires_at is not None:
        words = f"the seat hold ends; money that comes later: {row.hold_late or 'not said'}"
        details = {"hold_expires_at": row.hold_expires_at, "hold_late": row.hold_late}
        yield Line(row.hold_expires_at, Clock.OURS, "hold", row.id, words, details)
    if row.paid_at is not None:
        yield Line(row.paid_at, Clock.STRIPES, "paid", row.id, "money came first", {"paid_at": row.paid_at})


def lines_of_refunds(session: Session, ids: Sequence[str]) -> Iterator[Line]:
    """Tell of refunds what is in no history."""
    for row in session.execute(_REFUNDS, {"ids": list(ids)}):
        origin = f"by {row.job_id}" if row.job_id else "made in Stripe's dashboard"
        failure = f", failed: {row.failure_reason}" if row.failure_reason else ""
        words = f"refund of {row.amount} {row.currency} of {row.payment_id}, {origin}{failure}"
        details = {key: value for key, value in row._mapping.items() if key != "created_at"}  # noqa: SLF001 - public
        yield Line(row.created_at, Clock.OURS, "refund", row.id, words, details)


def lines_of_invoices(session: Session, ids: Sequence[str]) -> Iterator[Line]:
    """Tell of invoices what is in no history."""
    for row in session.execute(_INVOICES, {"ids": list(ids)}):
        words = f"invoice of {row.total} {row.currency}, {row.tax_amount} of it tax, by {row.job_id}"
        facts = {"total": row.total, "tax": row.tax_amount, "currency": row.currency, "job": row.job_id}
        yield Line(row.created_at, Clock.OURS, "invoice", row.id, words, facts)
        if row.sent_at is not None:
            words = f"invoice {row.number} was mailed last"
            yield Line(row.sent_at, Clock.STRIPES, "sent", row.id, words, {"number": row.number})
        if row.due_at is not None:
            yield Line(row.due_at, Clock.STRIPES, "due", row.id, "the day on which it is due", {"due_at": row.due_at})
        if row.paid_at is not None:
            by = "past Stripe" if row.paid_out_of_band else f"by {row.payment_id or 'a payment not known yet'}"
            words = f"invoice {row.number} was paid, {by}"
            yield Line(row.paid_at, Clock.STRIPES, "paid", row.id, words, {"payment": row.payment_id})


def lines_of_disputes(session: Session, payments: Sequence[str]) -> Iterator[Line]:
    """Tell of disputes what is in no history."""
    for row in session.execute(_DISPUTES, {"ids": list(payments)}):
        words = f"{row.case_type} over {row.amount} {row.currency}: {row.reason}"
        facts = {"stripe_id": row.stripe_id, "amount": row.amount, "currency": row.currency, "reason": row.reason}
        yield Line(row.opened_at, Clock.STRIPES, "dispute", row.id, words, facts)
        if row.due_at is not None:
            words = "until then the bank takes an answer"
            yield Line(row.due_at, Clock.STRIPES, "due", row.id, words, {"due_by": row.due_at})


def lines_of_moves(session: Session, ids: Sequence[str]) -> Iterator[Line]:
    """Tell of every change of status."""
    for row in session.execute(_HISTORY, {"ids": list(ids)}):
        evidence = f" ({row.evidence})" if row.evidence else ""
        words = f"{row.noun} {row.old or 'new'} → {row.new}, by {row.source}{evidence}"
        details = {"old": row.old, "new": row.new, "source": row.source, "evidence": row.evidence}
        yield Line(row.recorded_at, Clock.OURS, "move", row.subject_id, words, details)


def lines_of_events(session: Session, payments: Sequence[str], jobs: Sequence[str]) -> Iterator[Line]:
    """Tell of Stripe's events: when they happened there, and what was made of them here."""
    for row in session.execute(_EVENTS, {"payments": list(payments), "jobs": list(jobs)}):
        details = {"type": row.type, "object": row.object_id, "job": row.job_id, "outcome": row.outcome}
        yield Line(row.created, Clock.STRIPES, "event", row.id, f"{row.type} of {row.object_id}", details)
        words = f"{row.type} is handled: {row.outcome}"
        yield Line(row.handled_at, Clock.OURS, "event", row.id, words, details)


def lines_of_ledger(session: Session, payments: Sequence[str]) -> Iterator[Line]:
    """Tell of every transaction of the ledger, by Stripe's clock."""
    for row in session.execute(_LEDGER, {"ids": list(payments)}):
        sums = ", ".join(f"{entry['account']} {entry['amount']:+d}" for entry in row.entries)
        words = f"{row.kind} {row.stripe_id}: {sums} {row.currency}"
        details = {
            "kind": row.kind,
            "stripe_id": row.stripe_id,
            "currency": row.currency,
            "entries": row.entries,
            "evidence": row.evidence,
            "recorded_at": row.recorded_at,
        }
        yield Line(row.occurred_at, Clock.STRIPES, "ledger", row.payment_id, words, details)


def lines_of_evidence(session: Session, payments: Sequence[str]) -> Iterator[Line]:
    """Tell of evidence that was posted, without its texts."""
    for row in session.execute(_EVIDENCE, {"ids": list(payments)}):
        words = f"evidence is kept: {row.characters} characters of {row.field}, by {row.job_id}"
        details = {"field": row.field, "characters": row.characters, "job": row.job_id}
        yield Line(row.created_at, Clock.OURS, "evidence", row.payment_id, words, details)


def lines_of_flags(session: Session, subjects: Sequence[str]) -> Iterator[Line]:
    """Tell of what was flagged for operators, and when it was cleared."""
    for row in session.execute(_FLAGS, {"ids": list(subjects)}):
        facts = ", ".join(f"{name} {value}" for name, value in (row.details or {}).items())
        words = f"flag {row.kind}{': ' if facts else ''}{facts}"
        details = {"kind": row.kind, "details": row.details}
        yield Line(row.raised_at, Clock.OURS, "flag", row.subject_id, words, details)
        if row.cleared_at is not None:
            yield Line(row.cleared_at, Clock.OURS, "flag", row.subject_id, f"flag {row.kind} is cleared", details)
