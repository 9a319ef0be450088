"""Findings: what of some payments is not as it must be. Every question costs a bounded number of rows, by an index."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session, load_only

from config.retries import CREATE_INVOICE_AGE, CREATE_PAYMENT_AGE
from models.base import one_of
from models.invoice import ON_THE_WAY as INVOICE_ON_THE_WAY
from models.job import DUE_STATES
from models.payment import ON_THE_WAY, Payment
from models.payment_status import status_from
from models.refund import HOLDING, UNSENT
from workers.services.bookings import IS_LIVE, PAID, duplicate_details
from workers.services.invoice_numbers import gaps
from workers.services.stripe_objects import facts_of

# What the questions about payments can find; found no more of a payment that was looked at, it is cleared.
OF_PAYMENTS: Final = (
    "duplicate_payment",
    "refunds_above_capture",
    "ledger_unbalanced",
    "ledger_incomplete",
    "status_astray",
    "history_incomplete",
)
# A payment that is dirty is being fetched: what was heard of it so far is known to be no whole.
_REFUNDS = text(f"""
SELECT payments.id, payments.amount_received, sum(refunds.amount)::bigint AS refunds
FROM payments JOIN refunds ON refunds.payment_id = payments.id
WHERE payments.id = ANY(:ids) AND NOT payments.dirty AND {one_of("refunds.status", HOLDING)}
GROUP BY payments.id HAVING sum(refunds.amount) > payments.amount_received
""")  # noqa: S608 - built of constants
_PAID_TWICE = text(f"""
WITH bookings AS (SELECT DISTINCT client_id, booking_reference FROM payments WHERE id = ANY(:ids))
SELECT array_agg(payments.id ORDER BY payments.id) AS paid
FROM payments JOIN bookings USING (client_id, booking_reference)
WHERE {one_of("payments.status", PAID)} AND payments.invoice_id IS NULL
GROUP BY client_id, booking_reference HAVING count(*) > 1
""")  # noqa: S608 - built of constants
_STILL_DOUBLE = text(f"""
SELECT flags.subject_id FROM flags JOIN payments AS flagged ON flagged.id = flags.subject_id
WHERE flags.kind = 'duplicate_payment' AND flags.cleared_at IS NULL AND flags.subject_id = ANY(:ids)
    AND {IS_LIVE.format(table="flagged")} AND EXISTS (
        SELECT FROM payments AS other
        WHERE other.client_id = flagged.client_id AND other.booking_reference = flagged.booking_reference
            AND other.id <> flagged.id AND {IS_LIVE.format(table="other")}
    )
""")  # noqa: S608 - built of constants
_UNBALANCED = """
SELECT COALESCE(heads.payment_id, heads.stripe_id) AS subject, heads.kind, heads.stripe_id,
    COALESCE(sum(lines.amount), 0)::bigint AS total
FROM ledger_transactions AS heads LEFT JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
WHERE {which} GROUP BY heads.id HAVING COALESCE(sum(lines.amount), 0) <> 0 OR count(lines.id) = 0
ORDER BY heads.id LIMIT :most
"""
_UNBALANCED_OF_PAYMENTS = text(_UNBALANCED.format(which="heads.payment_id = ANY(:ids)"))
# Payouts are few; those that are flagged are looked at again, whenever they were written.
_UNBALANCED_OTHERS = text(
    _UNBALANCED.format(
        which="""heads.payment_id IS NULL AND (
    heads.recorded_at >= COALESCE(CAST(:since AS timestamptz), '-infinity') OR heads.stripe_id IN (
        SELECT subject_id FROM flags WHERE kind = 'ledger_unbalanced' AND cleared_at IS NULL
    )
)"""
    )
)
_UNBOOKED = text(f"""
SELECT payments.id, payments.amount_received, COALESCE(booked.amount, 0)::bigint AS booked
FROM payments LEFT JOIN LATERAL (
    SELECT -sum(lines.amount) AS amount
    FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
    WHERE heads.payment_id = payments.id AND heads.kind = 'capture' AND lines.account = 'sales'
) AS booked ON TRUE
WHERE payments.id = ANY(:ids) AND {one_of("payments.status", PAID)} AND NOT payments.dirty
    AND payments.amount_received <> COALESCE(booked.amount, 0)
""")  # noqa: S608 - built of constants
_UNTOLD = text("""
WITH nouns AS (
    SELECT id, status FROM payments WHERE id = ANY(:ids)
    UNION ALL SELECT id, status FROM refunds WHERE payment_id = ANY(:ids)
), told AS (
    SELECT history.id, history.subject_id, history.old, history.new,
        lag(history.new) OVER (PARTITION BY history.subject_id ORDER BY history.id) AS before,
        row_number() OVER (PARTITION BY history.subject_id ORDER BY history.id DESC) AS from_last
    FROM history JOIN nouns ON nouns.id = history.subject_id
)
SELECT nouns.id, nouns.status FROM nouns LEFT JOIN told ON told.subject_id = nouns.id
GROUP BY nouns.id, nouns.status
HAVING max(told.new) FILTER (WHERE told.from_last = 1) IS DISTINCT FROM nouns.status
    OR bool_or(told.old IS DISTINCT FROM told.before)
""")
# Since when something stands as it does tells its last move: its row changes with every flag.
_LONG = """
    {noun}.created_at < clock_timestamp() - make_interval(secs => :{age}) AND NOT EXISTS (
        SELECT FROM history WHERE history.subject_id = {noun}.id
        AND history.recorded_at >= clock_timestamp() - make_interval(secs => :{age})
    ) ORDER BY {noun}.created_at LIMIT :most
"""
_STUCK = text(f"""
(SELECT payments.id AS subject, payments.status, payments.job_id AS job FROM payments
    WHERE {one_of("payments.status", ON_THE_WAY)} AND {_LONG.format(noun="payments", age="age")})
UNION ALL
(SELECT refunds.id, refunds.status, refunds.job_id FROM refunds
    WHERE {one_of("refunds.status", UNSENT)} AND {_LONG.format(noun="refunds", age="age")})
UNION ALL
(SELECT invoices.id, invoices.status, invoices.job_id FROM invoices
    WHERE {one_of("invoices.status", INVOICE_ON_THE_WAY)} AND {_LONG.format(noun="invoices", age="invoice_age")})
UNION ALL
(SELECT jobs.id, jobs.state, jobs.id FROM jobs
    WHERE ({one_of("jobs.state", DUE_STATES)} OR jobs.state = 'running')
    AND jobs.expires_at < clock_timestamp() - make_interval(secs => :grace)
    AND NOT EXISTS (SELECT FROM payments WHERE payments.job_id = jobs.id AND {one_of("payments.status", ON_THE_WAY)})
    AND NOT EXISTS (SELECT FROM refunds WHERE refunds.job_id = jobs.id AND {one_of("refunds.status", UNSENT)})
    AND NOT EXISTS (
        SELECT FROM invoices WHERE invoices.job_id = jobs.id AND {one_of("invoices.status", INVOICE_ON_THE_WAY)}
    )
    LIMIT :most)
""")  # noqa: S608 - built of constants
ENDING_SECONDS: Final = 60.0  # for a job that has just expired to end


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be, as a flag tells it."""

    kind: str
    subject_id: str
    details: Mapping[str, Any]


def of_payments(session: Session, ids: Sequence[str]) -> list[Finding]:
    """Return what is wrong with these payments, their bookings and refunds, and what the ledger says of them.

    Args:
        session: only reads.
        ids: not so many that a statement would take long.
    """
    asked = {"ids": list(ids)}
    found = [
        Finding("refunds_above_capture", row.id, {"captured": row.amount_received, "refunds": row.refunds})
        for row in session.execute(_REFUNDS, asked)
    ]
    for row in session.execute(_PAID_TWICE, asked):
        found += (Finding("duplicate_payment", paid, duplicate_details(row.paid, paid=True)) for paid in row.paid)
    found += map(_unbalanced, session.execute(_UNBALANCED_OF_PAYMENTS, {**asked, "most": len(ids)}))
    found += (
        Finding("ledger_incomplete", row.id, {"captured": row.amount_received, "booked": row.booked})
        for row in session.execute(_UNBOOKED, asked)
    )
    found += (Finding("history_incomplete", row.id, {"status": row.status}) for row in session.execute(_UNTOLD, asked))
    return [*found, *_astray(session, ids)]


def _unbalanced(row: Row[Any]) -> Finding:
    details = {"kind": row.kind, "stripe_id": row.stripe_id, "total": row.total}
    return Finding("ledger_unbalanced", row.subject, details)


def _astray(session: Session, ids: Sequence[str]) -> Iterator[Finding]:
    columns = load_only(
        Payment.status,
        Payment.stripe_status,
        Payment.decline_code,
        Payment.amount_received,
        Payment.amount_refunded,
        Payment.disputed,
    )
    rows = session.scalars(
        select(Payment).options(columns).where(Payment.id.in_(ids), Payment.stripe_status.isnot(None))
    )
    for row in rows:
        expected = status_from(facts_of(row))
        if row.status != expected:
            yield Finding("status_astray", row.id, {"status": row.status, "expected": expected})


def of_others(session: Session, since: str | None, most: int) -> list[Finding]:
    """Return what else is wrong: what is on its way for too long, what the ledger says of no payment, missing numbers.

    Args:
        session: only reads.
        since: payouts are looked at that were written since then (RFC 3339); None for all.
        most: of each noun.
    """
    parameters = {
        "age": CREATE_PAYMENT_AGE,
        "invoice_age": CREATE_INVOICE_AGE,
        "grace": ENDING_SECONDS,
        "most": most,
        "since": since,
    }
    stuck = session.execute(_STUCK, parameters)
    return [
        *(Finding("stuck", row.subject, {"status": row.status, "job": row.job}) for row in stuck),
        *map(_unbalanced, session.execute(_UNBALANCED_OTHERS, parameters)),
        *(Finding("invoice_number_gap", prefix, missing) for prefix, missing in gaps(session).items()),
    ]


def cured(session: Session, ids: Sequence[str], found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Return kind and subject of the flags on these payments and their refunds whose findings hold no more."""
    still = {(finding.kind, finding.subject_id) for finding in found}
    still |= {("duplicate_payment", subject) for subject in session.scalars(_STILL_DOUBLE, {"ids": list(ids)})}
    up = session.execute(_UP, {"ids": list(ids), "kinds": list(OF_PAYMENTS)})
    return [(row.kind, row.subject_id) for row in up if (row.kind, row.subject_id) not in still]


_UP = text("""
SELECT kind, subject_id FROM flags
WHERE cleared_at IS NULL AND kind = ANY(:kinds) AND (
    subject_id = ANY(:ids) OR subject_id IN (SELECT id FROM refunds WHERE payment_id = ANY(:ids))
)
""")


def cured_others(session: Session, found: Iterable[Finding]) -> list[tuple[str, str]]:
    """Return kind and subject of the flags of `of_others` whose findings hold no more."""
    still = {(finding.kind, finding.subject_id) for finding in found}
    return [
        (row.kind, row.subject_id) for row in session.execute(_UP_OTHERS) if (row.kind, row.subject_id) not in still
    ]


_UP_OTHERS = text("""
SELECT kind, subject_id FROM flags WHERE cleared_at IS NULL
    AND (kind IN ('stuck', 'invoice_number_gap') OR (kind = 'ledger_unbalanced' AND subject_id NOT LIKE 'pay\\_%'))
""")
