"""Evidence of payments: kept as it is posted, and assembled when a dispute is to be answered. Asks Stripe nothing."""

import datetime as dt
import json
import logging
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.currencies import in_units
from config.keyring import Keyring
from models.customer import Customer
from models.encrypted import decrypt, encrypt
from models.evidence import PaymentEvidence, piece_cell
from models.payment import Payment
from models.refund import GIVEN_BACK, Refund
from tasks.contracts.evidence import KeepEvidence
from tasks.contracts.steps import Step
from workers.jobs.attempt import Attempt
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services.evidence_texts import Assembly, Piece, merge
from workers.services.payment_operations import not_here

TABLE = PaymentEvidence.__tablename__
HEADING = "From the records of the payment (times in UTC):"
LOG = logging.getLogger("tollgate.evidence")


def keep(attempt: Attempt, request: KeepEvidence) -> Outcome:
    """Keep every text of a request as a piece of its own."""
    job = attempt.job
    with attempt.transaction(Step.HOLD) as session:
        own = (Payment.id == request.payment_id, Payment.client_id == job.client_id)
        if session.scalar(select(Payment.id).where(*own)) is None:
            return not_here(attempt, session, request.payment_id, shown=request.shown)
    ring = attempt.runtime.settings.encryption_keys
    return done(lambda session: _record(session, ring, job, request))


def settle_keep(_session: Session, _runtime: Runtime, _job: JobRow, _request: KeepEvidence, _outcome: Outcome) -> None:
    """Write nothing: what is not kept changes nothing, and its job tells."""


def _record(session: Session, ring: Keyring, job: JobRow, request: KeepEvidence) -> None:
    pieces = [
        {
            "job_id": job.id,
            "field": field,
            "payment_id": request.payment_id,
            "text": encrypt(ring, TABLE, "text", piece_cell(job.id, field), text),
            "characters": len(text),
            "accepted_at": job.accepted_at,
        }
        for field, text in sorted(request.texts.items())
    ]
    session.execute(insert(PaymentEvidence).values(pieces).on_conflict_do_nothing())


def pieces_of(session: Session, payment_id: str) -> Sequence[PaymentEvidence]:
    """Return what was posted for a payment, in the order of acceptance."""
    statement = select(PaymentEvidence).where(PaymentEvidence.payment_id == payment_id)
    return session.scalars(
        statement.order_by(PaymentEvidence.accepted_at, PaymentEvidence.job_id, PaymentEvidence.field)
    ).all()


def assemble(session: Session, runtime: Runtime, payment: Payment) -> Mapping[str, str]:
    """Return what would be submitted for a payment, by Stripe's field, within Stripe's limits.

    What had to be left out is logged, and stands in the texts themselves as a remark. `assembly` tells how much.

    Raises:
        SealBrokenError, KeyringError: if what is sealed can't be opened.
    """
    assembled = assembly(session, runtime.settings.encryption_keys, payment)
    for cut in assembled.cuts:
        details = {"payment_id": payment.id, "field": cut.field, "characters": cut.characters, "limit": cut.limit}
        LOG.warning("evidence is shortened to fit Stripe's limits", extra=details)
    return assembled.texts


def assembly(session: Session, ring: Keyring, payment: Payment) -> Assembly:
    """Return what would be submitted for a payment, and what had to be left out. Raises as `assemble` does."""
    posted = [
        Piece(row.field, decrypt(ring, TABLE, "text", piece_cell(row.job_id, row.field), row.text))
        for row in pieces_of(session, payment.id)
    ]
    return merge(posted, _known(session, ring, payment), _timeline(session, payment))


def _known(session: Session, ring: Keyring, payment: Payment) -> Mapping[str, str]:
    customer = session.get_one(Customer, payment.customer_id)
    texts = {
        "customer_name": decrypt(ring, "customers", "name", customer.id, customer.name),
        "customer_email_address": decrypt(ring, "customers", "email", customer.id, customer.email),
        "customer_purchase_ip": decrypt(ring, "payments", "shopper_ip", payment.id, payment.shopper_ip),
        "product_description": "\n".join(_product(ring, payment)),
    }
    return {field: text for field, text in texts.items() if text}  # of a payment by invoice, no shopper is known


def _product(ring: Keyring, payment: Payment) -> Iterator[str]:
    if payment.description is not None:
        yield decrypt(ring, "payments", "description", payment.id, payment.description)
    yield f"Booking {payment.booking_reference}"
    metadata = json.loads(decrypt(ring, "payments", "booking_metadata", payment.id, payment.booking_metadata))
    for name, value in sorted(metadata.items()):
        if value:
            yield f"{name}: {value}"


def _timeline(session: Session, payment: Payment) -> str:
    """Return when the payment was booked, paid and given back, a line each."""

    def money(amount: int) -> str:
        return f"{in_units(amount, payment.currency)} {payment.currency.upper()}"

    lines = [(payment.created_at, f"booked as {payment.booking_reference}, {money(payment.amount)}")]
    if payment.paid_at is not None:
        lines.append((payment.paid_at, f"paid, {money(payment.amount_received)}"))
    given_back = select(Refund).where(Refund.payment_id == payment.id, Refund.status.in_(GIVEN_BACK))
    for refund in session.scalars(given_back):
        state = "" if refund.status == "succeeded" else ", not over yet"
        lines.append((refund.created_at, f"refund of {money(refund.amount)}{state}"))
    return "\n".join([HEADING, *(f"{_when(at)} {what}" for at, what in sorted(lines))])


def _when(moment: dt.datetime) -> str:
    """Write a time as the bank's people read it; the heading says that it is UTC."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S")
