"""The books, read: balances, transactions, and where the ledger and what we know of payments and refunds differ."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from models.base import one_of
from models.refund import GIVEN_BACK

_BALANCES = text("""
SELECT lines.currency, lines.account, sum(lines.amount)::bigint AS balance, count(*) AS entries
FROM ledger_entries AS lines JOIN ledger_transactions AS heads ON heads.id = lines.transaction_id
WHERE (CAST(:at AS timestamptz) IS NULL OR heads.occurred_at <= :at)
    AND (CAST(:currency AS text) IS NULL OR lines.currency = :currency)
GROUP BY lines.currency, lines.account ORDER BY lines.currency, lines.account
""")
_TRANSACTIONS = text("""
WITH named AS (
    SELECT id FROM ledger_transactions WHERE stripe_id = :name OR payment_id = :name
    UNION SELECT heads.id FROM ledger_transactions AS heads JOIN payments ON payments.id = heads.payment_id
        WHERE payments.stripe_id = :name
    UNION SELECT heads.id FROM ledger_transactions AS heads JOIN refunds ON refunds.stripe_id = heads.stripe_id
        WHERE refunds.id = :name
)
SELECT heads.id, heads.kind, heads.stripe_id, heads.payment_id, heads.currency, heads.occurred_at, heads.evidence,
    heads.recorded_at, json_agg(json_build_object('account', account, 'amount', amount) ORDER BY lines.id) AS entries
FROM named JOIN ledger_transactions AS heads ON heads.id = named.id
JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
GROUP BY heads.id ORDER BY heads.occurred_at, heads.id LIMIT :limit
""")
# One question for each kind of difference, over the whole ledger. A payment that is dirty is being fetched: nothing is
# said of it. A refund counts as given back from when Stripe has made it until it comes to nothing.
_DIFFERENCES = text(f"""
SELECT 'a transaction is not at zero' AS what, COALESCE(heads.payment_id, heads.stripe_id) AS subject,
    heads.currency, 0::bigint AS expected, COALESCE(sum(lines.amount), 0)::bigint AS posted
FROM ledger_transactions AS heads LEFT JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
GROUP BY heads.id HAVING COALESCE(sum(lines.amount), 0) <> 0 OR count(lines.id) = 0
UNION ALL
SELECT 'captured is not what was received', payments.id, payments.currency, payments.amount_received,
    COALESCE(booked.amount, 0)
FROM payments LEFT JOIN (
    SELECT heads.payment_id, lines.currency, -sum(lines.amount)::bigint AS amount
    FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
    WHERE heads.kind = 'capture' AND lines.account = 'sales' GROUP BY heads.payment_id, lines.currency
) AS booked ON booked.payment_id = payments.id
WHERE NOT payments.dirty AND (payments.amount_received <> COALESCE(booked.amount, 0)
    OR payments.currency <> COALESCE(booked.currency, payments.currency))
UNION ALL
SELECT 'refunded is not what was given back', COALESCE(ours.id, booked.stripe_id),
    COALESCE(ours.currency, booked.currency), COALESCE(ours.amount, 0), COALESCE(booked.amount, 0)
FROM (
    SELECT refunds.id, refunds.stripe_id, refunds.currency,
        CASE WHEN {one_of("refunds.status", GIVEN_BACK)} THEN refunds.amount ELSE 0 END AS amount
    FROM refunds WHERE refunds.stripe_id IS NOT NULL
) AS ours FULL JOIN (
    SELECT heads.stripe_id, lines.currency, sum(lines.amount)::bigint AS amount
    FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
    WHERE lines.account = 'refunds' GROUP BY heads.stripe_id, lines.currency
) AS booked ON booked.stripe_id = ours.stripe_id
WHERE COALESCE(ours.amount, 0) <> COALESCE(booked.amount, 0)
UNION ALL
SELECT 'more is given back than was captured', heads.payment_id, lines.currency,
    -sum(lines.amount) FILTER (WHERE lines.account = 'sales')::bigint,
    sum(lines.amount) FILTER (WHERE lines.account = 'refunds')::bigint
FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
WHERE heads.payment_id IS NOT NULL AND lines.account IN ('sales', 'refunds')
GROUP BY heads.payment_id, lines.currency HAVING sum(lines.amount) > 0
ORDER BY 1, 2 LIMIT :limit
""")  # noqa: S608 - built of constants


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the books do not agree; amounts in minor units."""

    what: str
    subject: str
    currency: str
    expected: int
    posted: int


def balances(
    session: Session, *, at: dt.datetime | None = None, currency: str | None = None
) -> Sequence[Row[tuple[str, str, int, int]]]:
    """Return (currency, account, balance, entries), of all that occurred up to a time by Stripe's clock."""
    return session.execute(_BALANCES, {"at": at, "currency": currency}).all()


def transactions(session: Session, name: str, *, limit: int) -> Sequence[Row[tuple[object, ...]]]:
    """Return the transactions of an id: a payment's or refund's of ours, or any of Stripe's, by their time."""
    return session.execute(_TRANSACTIONS, {"name": name, "limit": limit}).all()


def differences(session: Session, *, limit: int) -> list[Difference]:
    """Return where the books do not agree, at the most so many; none means that all is well."""
    return [Difference(**row) for row in session.execute(_DIFFERENCES, {"limit": limit}).mappings()]
