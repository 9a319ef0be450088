"""Announcements: what a client's website is to hear of its payments, refunds and invoices.

They are left behind by the transaction in which something happens (the outbox); `workers.services.notifications` sends
them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from models.endpoint import Endpoint
from models.invoice import INVOICE_MOVES, Invoice
from models.payment import PAYMENT_MOVES, Payment
from models.refund import REFUND_MOVES, Refund
from tasks.contracts import representations
from tasks.contracts.notifications import SendNotification
from workers.jobs.follow_up import enqueue
from workers.projections.instants import rfc3339
from workers.projections.invoice_views import read_invoice_views
from workers.projections.payment_views import read_payment_views
from workers.projections.refund_views import read_refund_views
from workers.runtime import Runtime

# What is flagged on a payment and is the website's business as well, and under which type it hears of it.
FLAGGED: Final = {
    "late_payment": "payment.late",
    "duplicate_payment": "payment.duplicate",
    "fraud_warning": "payment.fraud_warning",
}
TYPES: Final = (
    *(f"payment.{status}" for status in sorted(PAYMENT_MOVES.states)),
    *FLAGGED.values(),
    *(f"refund.{status}" for status in sorted(REFUND_MOVES.states)),
    *(f"invoice.{status}" for status in sorted(INVOICE_MOVES.states)),
)
# They let their holder pay, or see whose invoice it is: they are read by whoever has an API key.
KEPT_BACK: Final = frozenset({"client_secret", "hosted_invoice_url", "invoice_pdf", "lines", "purchase_order"})


@dataclass(frozen=True, slots=True)
class Unreserved:
    """A refund that ended before anything was reserved for it: it has no row, its job tells of it."""

    id: str
    client_id: str
    version: int = 0


def announce(
    session: Session,
    runtime: Runtime,
    kind: str,
    subject: Payment | Refund | Invoice | Unreserved,
    data: Mapping[str, Any] | None = None,
    *,
    slot: str | None = None,
) -> None:
    """Leave a notification for each of the client's endpoints that hears this, to be sent after the commit.

    Costs one query in a transaction for each client in it, and nothing more for a client without endpoints.

    Args:
        session: the transaction in which it happens.
        runtime: seals what is left behind.
        kind: the type, one of `TYPES`.
        subject: what it happened to; all its facts are set by now.
        data: what is told; by default the subject as the API shows it, as it is now. No personal data.
        slot: names this event of this kind and subject for ever; by default the subject's version. The same slot twice
            is the same notification.
    """
    endpoints = [each for each in _endpoints(session, subject.client_id) if hears(each, kind)]
    if not endpoints:
        return
    told = data if data is not None else _shown(session, runtime, subject)
    happened = rfc3339(session.execute(text("SELECT clock_timestamp()")).scalar_one())
    body = json.dumps({"type": kind, "timestamp": happened, "data": told}, separators=(",", ":"), ensure_ascii=False)
    for endpoint in endpoints:
        enqueue(
            session,
            runtime.settings,
            SendNotification(endpoint.id, kind, body),
            client_id=subject.client_id,
            subject_id=subject.id,
            slot=f"{endpoint.id}/{kind}/{subject.version if slot is None else slot}",
            request_id="",
        )


def hears(endpoint: Endpoint, kind: str) -> bool:
    """Tell whether an endpoint wants to hear of that type: all, those it names, or a noun's by `payment.*`."""
    noun = kind.partition(".")[0]
    return not endpoint.types or kind in endpoint.types or f"{noun}.*" in endpoint.types


def _endpoints(session: Session, client_id: str) -> Sequence[Endpoint]:
    """Return a client's endpoints that are not disabled; asked once in a transaction, however much moves in it."""
    known: dict[str, Sequence[Endpoint]] = session.info.setdefault("endpoints", {})
    if client_id not in known:
        wanted = (Endpoint.client_id == client_id, Endpoint.disabled_at.is_(None))
        known[client_id] = session.scalars(select(Endpoint).where(*wanted).order_by(Endpoint.id)).all()
    return known[client_id]


def _shown(session: Session, runtime: Runtime, subject: Payment | Refund | Invoice | Unreserved) -> dict[str, Any]:
    ring = runtime.settings.encryption_keys
    if isinstance(subject, Payment):
        [(_, payment)] = read_payment_views(session, ring, [subject.id])
        written = representations.payment(payment)
    elif isinstance(subject, Invoice):
        [(_, invoice)] = read_invoice_views(session, ring, [subject.id])
        written = representations.invoice(invoice)
    else:
        [(_, refund)] = read_refund_views(session, ring, [subject.id])
        written = representations.refund(refund)
    return {name: value for name, value in written.items() if name not in KEPT_BACK}
