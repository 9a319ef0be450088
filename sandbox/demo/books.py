"""The books: the simulator's own ledger against our database, to the penny."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from models.client import OWN_CLIENT
from models.database import psycopg_url
from sandbox.ledger_agreement import Movement, disagreements

_PAYMENTS = text("""
SELECT id, booking_reference, status, currency, amount, amount_received, amount_refunded, stripe_id, stripe_charge_id
FROM payments
""")
# What is done by the clock begins again and again: it is none of the payments' work.
_UNFINISHED = text("""
SELECT count(*) FROM jobs WHERE state NOT IN ('done', 'refused', 'dead', 'cancelled') AND client_id <> :own
""")
MONEY_STATUSES = frozenset({"paid", "partially_refunded", "refunded", "disputed"})


@dataclass(frozen=True, slots=True)
class Books:
    """Both sides' totals in minor units by currency, and every difference in words; none means that they agree."""

    at_stripe: Mapping[str, int]
    ours: Mapping[str, int]
    charges: int
    payments: int
    movements: int
    differences: Sequence[str]


def read_payments(database_url: str) -> list[dict[str, Any]]:
    """Return all payments of the database."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(_PAYMENTS)]  # noqa: SLF001 - SQLAlchemy's public name for it
    finally:
        engine.dispose()


def unfinished_jobs(database_url: str) -> int:
    """Return how many jobs still have something to do, those of the schedule left out."""
    engine = create_engine(psycopg_url(database_url), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return int(connection.execute(_UNFINISHED, {"own": OWN_CLIENT}).scalar_one())
    finally:
        engine.dispose()


def compare(
    ledger: Mapping[str, Any],
    payments: Sequence[Mapping[str, Any]],
    posted: Mapping[Movement, int],
    views: Sequence[Mapping[str, Any]],
) -> Books:
    """Hold the simulator's ledger against our payments, ledger and views: every charge once, every penny, both ways.

    Args:
        ledger: the simulator's money facts.
        payments: the rows of our payments.
        posted: what our ledger says was moved.
        views: our payments as the API shows them.
    """
    charges = [charge for charge in ledger["charges"] if charge["status"] == "succeeded"]
    by_intent = {payment["stripe_id"]: payment for payment in payments if payment["stripe_id"] is not None}
    differences = [
        *_charged_twice(charges),
        *_made_twice(ledger["payment_intents"]),
        *_unknown_intents(ledger["payment_intents"], by_intent),
        *(line for charge in charges for line in _charge_differs(charge, by_intent.get(charge["payment_intent"]))),
        *disagreements(ledger, posted),
        *_shown_otherwise(payments, views),
        *_uncharged(payments, {charge["payment_intent"] for charge in charges}),
    ]
    at_stripe = {currency: totals["net"] for currency, totals in ledger["totals"].items()}
    ours: Counter[str] = Counter()
    for payment in payments:
        if payment["amount_received"]:
            ours[payment["currency"]] += payment["amount_received"] - payment["amount_refunded"]
    if at_stripe != dict(ours):
        differences.append(f"totals differ: {at_stripe} at Stripe, {dict(ours)} here")
    return Books(at_stripe, dict(ours), len(charges), len(payments), len(posted), differences)


def _shown_otherwise(payments: Sequence[Mapping[str, Any]], views: Sequence[Mapping[str, Any]]) -> list[str]:
    shown = {view["id"]: view for view in views}
    names = ("status", "currency", "amount", "amount_received", "amount_refunded")
    return [
        f"{payment['id']}: {name} {payment[name]} here, the API shows {shown.get(payment['id'], {}).get(name)}"
        for payment in payments
        for name in names
        if shown.get(payment["id"], {}).get(name) != payment[name]
    ]


def _charged_twice(charges: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = Counter(charge["operation"] for charge in charges)
    return [f"{operation} was charged {count} times" for operation, count in counts.items() if count > 1]


def _made_twice(intents: Sequence[Mapping[str, Any]]) -> list[str]:
    counts = Counter(intent["operation"] for intent in intents)
    return [f"{operation} made {count} PaymentIntents" for operation, count in counts.items() if count > 1]


def _unknown_intents(intents: Sequence[Mapping[str, Any]], known: Mapping[str, Any]) -> list[str]:
    return [f"{intent['id']} at Stripe belongs to no payment here" for intent in intents if intent["id"] not in known]


def _charge_differs(charge: Mapping[str, Any], payment: Mapping[str, Any] | None) -> list[str]:
    if payment is None:
        return [f"{charge['id']} over {charge['net']} {charge['currency']} is in no payment here"]
    name = f"{charge['id']} / {payment['id']}"
    pairs = {
        "currency": (charge["currency"], payment["currency"]),
        "captured": (charge["amount_captured"], payment["amount_received"]),
        "refunded": (charge["refunded_after_capture"], payment["amount_refunded"]),
    }
    lines = [
        f"{name}: {what} {theirs} at Stripe, {ours} here" for what, (theirs, ours) in pairs.items() if theirs != ours
    ]
    if payment["status"] not in MONEY_STATUSES:
        lines.append(f"{name}: charged at Stripe, {payment['status']} here")
    return lines


def _uncharged(payments: Sequence[Mapping[str, Any]], charged: set[str]) -> list[str]:
    return [
        f"{payment['id']} is {payment['status']} with {payment['amount_received']} received here, not charged at Stripe"
        for payment in payments
        if (payment["status"] in MONEY_STATUSES or payment["amount_received"]) and payment["stripe_id"] not in charged
    ]
