"""Bookings: whether a payment may be made beside another, and what is to be looked at when money comes.

Only questions with one short answer are asked here, in the transactions that make and move payments. What concerns
several payments is judged by a job of its own (`workers.services.reviews`), which can lock them all in order.
"""

import datetime as dt
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from config.errors import DuplicatePaymentError
from config.sealing import place
from models.base import one_of
from models.payment import Payment
from tasks.contracts.payments import CreatePayment, ReviewPayment
from workers.jobs.follow_up import enqueue
from workers.jobs.row import JobRow
from workers.runtime import Runtime

PAID: Final = ("paid", "partially_refunded", "disputed")  # money came, and is not all given back
OVER: Final = ("canceled", "failed", "refunded")
# May still take money, or holds some. A declined payment may: its shopper can try another card. Declined for good is
# only what was charged while the customer was away. What paid an invoice is beside a booking's own payments: an invoice
# may be for what is left after a deposit.
IS_LIVE: Final = (
    f"(NOT {one_of('{table}.status', OVER)} AND NOT ({{table}}.status = 'declined' AND {{table}}.off_session)"
    " AND {table}.invoice_id IS NULL)"
)


def is_live(payment: Payment) -> bool:
    """Tell the same of a row."""
    over = payment.status in OVER or (payment.status == "declined" and payment.off_session)
    return not over and payment.invoice_id is None


MOST_TOLD: Final = 20  # a client that names everything by one reference must not make each flag a long list
LOCK_BYTES: Final = 8  # an advisory lock is named by a bigint
_LOCK = text("SELECT pg_advisory_xact_lock(:name)")
_KNOWN = text("SELECT status, stripe_id FROM payments WHERE id = :id")
_OTHERS = text(f"""
SELECT EXISTS (
    SELECT FROM payments AS other WHERE other.client_id = :client AND other.booking_reference = :booking
        AND other.id <> :id AND {IS_LIVE.format(table="other")}
)
""")  # noqa: S608 - built of constants


def duplicate_details(ids: Sequence[str], *, paid: bool) -> Mapping[str, Any]:
    """Return what a flag tells of a booking's payments; it changes when one more comes, or money does."""
    return {"payments": sorted(ids)[:MOST_TOLD], "number": len(ids), "paid": paid}


def admit(session: Session, runtime: Runtime, job: JobRow, request: CreatePayment) -> bool:
    """Admit a new payment beside the others of its booking, in the transaction that makes its row.

    One that has failed, and whose dead letter is replayed, is a new one again: others may have come meanwhile. Two
    payments of one booking can't both be the first: a lock on the booking is held until that transaction ends. It
    is taken before any row but the job's own, so that nobody who holds it waits for another that does.

    Returns:
        whether it is admitted. It is not if there is a live one, the request wants to be refused then, and a restored
        database does not know for certain that nothing was sent: it is to be refused if Stripe has nothing of it.

    Raises:
        DuplicatePaymentError: if there is a live one, and the request wants to be refused then. Nothing was sent.
    """
    known = session.execute(_KNOWN, {"id": request.payment_id}).first()
    if known is not None and not _is_new_again(known, job):
        return True  # by an earlier attempt
    session.execute(_LOCK, {"name": _lock_name(runtime, job.client_id, request.booking_reference)})
    if not _has_others(session, job.client_id, request.booking_reference, request.payment_id):
        return True
    refuse = request.on_duplicate == "refuse"
    if refuse and not job.may_have_asked:
        raise DuplicatePaymentError
    _ask_for_review(session, runtime, job.client_id, ReviewPayment(request.payment_id, asked=True), job.request_id)
    return not refuse or job.intent is not None


def _is_new_again(known: Row[Any], job: JobRow) -> bool:
    """Tell whether a payment that has a row is to be admitted anew, since nothing was asked of Stripe for it."""
    undecided = job.may_have_asked and job.intent is None
    return known.stripe_id is None and (known.status == "failed" or undecided)


def money_came(session: Session, runtime: Runtime, payment: Payment) -> None:
    """Have a payment reviewed of whose money was heard for the first time, if there may be something to find.

    Args:
        session: the transaction that learns of the money.
        runtime: seals the job.
        payment: its locked row, with `paid_at`.
    """
    if payment.invoice_id is not None:
        return
    # Others that are being paid at this moment are live for this transaction, if not paid: the later review sees both.
    late = is_late(payment, payment.paid_at)
    if late or _has_others(session, payment.client_id, payment.booking_reference, payment.id):
        _ask_for_review(session, runtime, payment.client_id, ReviewPayment(payment.id), "")


def is_late(payment: Payment, charged_at: dt.datetime | None) -> bool:
    """Tell whether money that was charged then came when its seats were gone for certain.

    Stripe's clock tells whole seconds: a charge of the second in which the hold ended counts as in time.
    """
    return payment.hold_expires_at is not None and charged_at is not None and charged_at > payment.hold_expires_at


def _has_others(session: Session, client_id: str, booking_reference: str, payment_id: str) -> bool:
    parameters = {"client": client_id, "booking": booking_reference, "id": payment_id}
    return bool(session.execute(_OTHERS, parameters).scalar_one())


def _ask_for_review(
    session: Session, runtime: Runtime, client_id: str, contract: ReviewPayment, request_id: str
) -> None:
    enqueue(
        session,
        runtime.settings,
        contract,
        client_id=client_id,
        subject_id=contract.payment_id,
        slot="made" if contract.asked else "paid",
        request_id=request_id,
    )


def _lock_name(runtime: Runtime, client_id: str, booking_reference: str) -> int:
    """Return a number for a booking that nobody outside can aim at another's."""
    digest = hmac.digest(runtime.settings.derivation_key, place("booking", client_id, booking_reference), "sha256")
    return int.from_bytes(digest[:LOCK_BYTES], "big", signed=True)
