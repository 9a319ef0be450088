"""What is known here of what Stripe says: postings of the ledger, payments, refunds and invoices. Only reads."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from workers.gateways.balance_listings import Source
from workers.gateways.operations import parse_operation
from workers.services.reconciliation.at_stripe import AtStripe, Piece

_LINES = text("""
SELECT heads.kind, heads.stripe_id, heads.payment_id, heads.currency, heads.occurred_at,
    sum(lines.amount)::bigint AS moved
FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
WHERE lines.account = 'stripe' AND (heads.stripe_id = ANY(:ids)
    OR (heads.occurred_at >= :since AND heads.occurred_at < :until))
GROUP BY heads.id
""")
_LEDGER_TOTALS = text("""
SELECT lines.currency, sum(lines.amount)::bigint AS moved
FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
WHERE lines.account = 'stripe' AND heads.occurred_at >= :since AND heads.occurred_at < :until
GROUP BY lines.currency
""")
_PAYMENTS = text("""
SELECT id, stripe_id, stripe_charge_id, stripe_status, amount_received, currency, dirty, created_at FROM payments
WHERE id = ANY(:subjects) OR stripe_id = ANY(:intents) OR stripe_charge_id = ANY(:charges)
    OR id IN (SELECT payment_id FROM refunds WHERE id = ANY(:subjects) OR stripe_id = ANY(:refunds))
    OR (created_at >= :since AND created_at < :until AND stripe_id IS NOT NULL)
""")
_INVOICES = text("""
SELECT id, stripe_id, stripe_status, total, amount_paid, currency, dirty, created_at FROM invoices
WHERE id = ANY(:subjects) OR stripe_id = ANY(:ids)
    OR (created_at >= :since AND created_at < :until AND stripe_id IS NOT NULL)
""")
_REFUNDS = text("SELECT stripe_id FROM refunds WHERE stripe_id = ANY(:ids)")


@dataclass(frozen=True, slots=True)
class Line:
    """One posting of the ledger as the account `stripe` sees it: above zero it came in, minor units."""

    kind: str
    stripe_id: str
    payment_id: str | None
    currency: str
    occurred_at: dt.datetime
    moved: int


@dataclass(slots=True)
class Here:
    """What is known here of a piece: postings by kind and Stripe's id, payments, refunds, invoices, and totals."""

    lines: dict[tuple[str, str], Line] = field(default_factory=dict)
    payments: list[Row[Any]] = field(default_factory=list)
    refunds: set[str] = field(default_factory=set)
    totals: dict[str, int] = field(default_factory=dict)
    invoices: list[Row[Any]] = field(default_factory=list)

    def payment_of(self, source: Source) -> Row[Any] | None:
        """Return the payment that an object of Stripe's belongs to."""
        charge = source.id if source.noun == "charge" else source.charge_id
        for payment in self.payments:
            if source.payment_intent_id is not None and payment.stripe_id == source.payment_intent_id:
                return payment
            if charge is not None and payment.stripe_charge_id == charge:
                return payment
        return next((each for each in self.payments if each.id == _subject(source.operation)), None)


def _subject(operation: str | None) -> str | None:
    parsed = None if operation is None else parse_operation(operation)
    return None if parsed is None else parsed[0]


def read(session: Session, piece: Piece, stripe: AtStripe) -> Here:
    """Read what is known of a piece, and of all that Stripe names in it."""
    times = {"since": piece.since, "until": piece.until}
    sources = [each.source for each in stripe.movements if each.source is not None]
    ids = [each.id for each in stripe.movements] + [each.id for each in sources]
    found = Here()
    for row in session.execute(_LINES, {"ids": ids, **times}):
        found.lines[row.kind, row.stripe_id] = Line(**row._mapping)  # noqa: SLF001 - public
    operations = [each.operation for each in sources] + [each.operation for each in stripe.intents]
    asked: dict[str, list[Any]] = {
        "subjects": [subject for each in operations if (subject := _subject(each)) is not None]
        + [line.payment_id for line in found.lines.values() if line.payment_id is not None],
        "intents": [each.payment_intent_id for each in sources] + [each.id for each in stripe.intents],
        "charges": [each.id if each.noun == "charge" else each.charge_id for each in sources],
        "refunds": [each.id for each in sources],
    }
    found.payments = list(session.execute(_PAYMENTS, {**asked, **times}).all())
    named = [*asked["refunds"], *(stripe_id for _, stripe_id in found.lines)]
    found.refunds = set(session.scalars(_REFUNDS, {"ids": named}))
    listed = [each.invoice.id for each in stripe.invoices]
    subjects = [_subject(each.operation) for each in stripe.invoices]
    found.invoices = list(session.execute(_INVOICES, {"subjects": subjects, "ids": listed, **times}).all())
    found.totals = {row.currency: row.moved for row in session.execute(_LEDGER_TOTALS, times)}
    return found


def still(session: Session, payment_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """Return what payments are by now."""
    statement = text(
        "SELECT id, stripe_id, stripe_status, amount_received, currency, dirty FROM payments WHERE id = ANY(:ids)"
    )
    return {row.id: row for row in session.execute(statement, {"ids": list(payment_ids)})}


def invoice_still(session: Session, invoice_id: str) -> Row[Any]:
    """Return what an invoice is by now."""
    statement = text("SELECT id, stripe_status, total, amount_paid, currency, dirty FROM invoices WHERE id = :id")
    return session.execute(statement, {"id": invoice_id}).one()
