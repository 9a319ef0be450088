"""Whether our ledger says of every movement of money what the simulator's balance transactions say, to the penny."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models.database import psycopg_url

_POSTED = text("""
SELECT heads.kind, heads.stripe_id, lines.currency, sum(lines.amount)::bigint AS amount
FROM ledger_transactions AS heads JOIN ledger_entries AS lines ON lines.transaction_id = heads.id
WHERE lines.amount > 0 GROUP BY heads.kind, heads.stripe_id, lines.currency
""")
# What we call what moves the balance, by Stripe's reporting category
# (https://docs.stripe.com/reports/reporting-categories), and what we call its fee.
KINDS: Final = {
    "charge": ("capture", "fee"),
    "refund": ("refund", "fee"),
    "refund_failure": ("refund_failed", "fee"),
    "dispute": ("dispute", "dispute_fee"),
    "dispute_reversal": ("dispute_reinstated", "dispute_fee"),
    "payout": ("payout", "fee"),
    "payout_reversal": ("payout_failed", "fee"),
}
Movement = tuple[str, str, str]  # kind, Stripe's id, currency


def read_posted(database_url: str) -> dict[Movement, int]:
    """Return what our ledger says was moved, in minor units."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return {(row.kind, row.stripe_id, row.currency): int(row.amount) for row in connection.execute(_POSTED)}
    finally:
        engine.dispose()


def at_stripe(facts: Mapping[str, Any]) -> dict[Movement, int]:
    """Return what the simulator's balance transactions say was moved of what is ours, and all payouts."""
    invoices = {each["id"] for each in facts["invoices"] if each["operation"] is not None}
    # The intent by which an invoice is paid is Stripe's own, and carries no operation.
    ours = {each["id"] for each in facts["charges"] if each["operation"] is not None or each["invoice"] in invoices}
    ours |= {each["id"] for noun in ("refunds", "disputes") for each in facts[noun] if each["charge"] in ours}
    ours |= {payout["id"] for payout in facts["payouts"]}
    moved: dict[Movement, int] = {}
    for balance in facts["balance_transactions"]:
        if balance["source"] in ours:
            kind, fee = KINDS[balance["reporting_category"]]
            moved[kind, balance["source"], balance["currency"]] = abs(balance["amount"])
            if balance["fee"]:
                moved[fee, balance["id"], balance["currency"]] = balance["fee"]
    return moved


def disagreements(facts: Mapping[str, Any], posted: Mapping[Movement, int]) -> Iterator[str]:
    """Tell of every movement of which the two do not say the same; none means that they agree."""
    expected = at_stripe(facts)
    for movement in sorted({*expected, *posted}):
        theirs, ours = expected.get(movement), posted.get(movement)
        if theirs != ours:
            kind, name, currency = movement
            yield f"ledger: {kind} {name} is {_told(theirs)} {currency} at Stripe, {_told(ours)} here"


def _told(amount: int | None) -> str:
    return "nothing" if amount is None else str(amount)
