"""The one place that applies a Stripe object to a payment, whoever brought it: response, event or fetch.

Events come in any order and number, late responses come beside them. Final snapshots and clearly newer ones are taken
as they are; an older one adds nothing; one from the same second that differs is ambiguous: the payment is marked dirty
and fetched once. Only a fetch makes it clean again, whatever else is heard meanwhile.
"""

import datetime as dt
import logging
from enum import Enum

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from models.encrypted import encrypt
from models.payment import Payment
from models.payment_status import TERMINAL_AT_STRIPE, Facts, status_from
from models.refund import CAME_TO_NOTHING, Refund
from workers.gateways.snapshots import ChargeSnapshot, PaymentIntentSnapshot
from workers.runtime import Runtime
from workers.services.bookings import money_came
from workers.services.fees import CHARGE, ask_for_fee
from workers.services.ledger import post_capture
from workers.services.moves import Source, move
from workers.services.remainders import given_back
from workers.services.standing_disputes import is_disputed, is_unheard

LOG = logging.getLogger("tollgate.stripe_objects")


class Verdict(Enum):
    """What became of a snapshot."""

    TAKEN = "taken"
    NOTHING_NEW = "nothing new"
    AMBIGUOUS = "ambiguous"


def apply_payment_intent(
    session: Session,
    runtime: Runtime,
    payment: Payment,
    snapshot: PaymentIntentSnapshot,
    source: Source,
    *,
    authoritative: bool = False,
) -> Verdict:
    """Apply a PaymentIntent to its payment, whose row the caller has locked.

    Args:
        session: the caller's transaction.
        runtime: its keys seal the client secret.
        payment: the locked row.
        snapshot: the PaymentIntent.
        source: who brought it.
        authoritative: it was fetched after all that the row knows, so a tie goes to it.
    """
    if payment.stripe_id not in (None, snapshot.id):
        LOG.error("payment %s belongs to %s, not to %s: nothing taken", payment.id, payment.stripe_id, snapshot.id)
        return Verdict.NOTHING_NEW
    verdict = _judge(payment, snapshot, source, authoritative=authoritative)
    if verdict is Verdict.AMBIGUOUS:
        mark_dirty(payment)
    if verdict is not Verdict.TAKEN:
        return verdict
    disputed = payment.disputed if snapshot.disputed is None else snapshot.disputed
    if disputed or payment.disputed:
        disputed = is_disputed(session, payment, told=disputed)
    unheard = is_unheard(session, payment, told=snapshot.disputed)
    payment.stripe_id = snapshot.id
    payment.stripe_status = snapshot.status
    payment.snapshot_at = source.as_of
    payment.decline_code = None if snapshot.status in TERMINAL_AT_STRIPE else snapshot.decline_code
    payment.amount = snapshot.amount
    payment.amount_capturable = snapshot.amount_capturable
    payment.amount_received = max(payment.amount_received, snapshot.amount_received)
    payment.capture_before = snapshot.capture_before or payment.capture_before
    payment.stripe_charge_id = snapshot.charge_id or payment.stripe_charge_id
    if snapshot.amount_refunded is not None:
        # Only a fetch can tell that a refund failed after all: then the amount falls again.
        known = 0 if authoritative else payment.amount_refunded
        payment.amount_refunded = max(known, snapshot.amount_refunded)
    payment.disputed = disputed
    if snapshot.client_secret is not None and payment.client_secret is None:
        payment.client_secret = encrypt(
            runtime.settings.encryption_keys, "payments", "client_secret", payment.id, snapshot.client_secret
        )
    came = snapshot.charge_id is not None and _money_came(payment, snapshot.charge_created, source)
    restate(session, runtime, payment, source)
    if came:
        _post(session, runtime, payment, source)
        money_came(session, runtime, payment)
    if unheard and not authoritative:
        mark_dirty(payment)
        return Verdict.AMBIGUOUS  # its disputes are fetched with it
    return Verdict.TAKEN


def _judge(payment: Payment, snapshot: PaymentIntentSnapshot, source: Source, *, authoritative: bool) -> Verdict:
    known = payment.stripe_status
    if known in TERMINAL_AT_STRIPE and snapshot.status not in TERMINAL_AT_STRIPE:
        return Verdict.NOTHING_NEW
    if authoritative or known is None or payment.snapshot_at is None or snapshot.status in TERMINAL_AT_STRIPE:
        return Verdict.TAKEN
    if source.as_of != payment.snapshot_at:
        return Verdict.TAKEN if source.as_of > payment.snapshot_at else Verdict.NOTHING_NEW
    facts = (payment.stripe_status, payment.decline_code, payment.amount, payment.amount_capturable)
    same = facts == (snapshot.status, snapshot.decline_code, snapshot.amount, snapshot.amount_capturable)
    return Verdict.NOTHING_NEW if same else Verdict.AMBIGUOUS


def apply_charge(
    session: Session, runtime: Runtime, payment: Payment, charge: ChargeSnapshot, source: Source
) -> Verdict:
    """Apply a charge to its payment, whose row the caller has locked.

    What a charge tells of money only ever grows, unless a refund fails, so it is taken in any order. What it tells of
    the PaymentIntent's status is told better by the PaymentIntent itself: unless its event comes soon, or the charge
    tells of more than a payment, that is fetched.
    """
    if charge.status == "succeeded" and payment.stripe_status == "succeeded":
        disputed = payment.disputed or (charge.disputed and is_disputed(session, payment, told=True))
        unheard = is_unheard(session, payment, told=charge.disputed)
        verdict = _grow_refunded(session, payment, charge.amount_refunded)
        payment.stripe_charge_id = charge.id
        payment.amount_received = max(payment.amount_received, charge.amount_captured)
        payment.disputed = disputed
        came = _money_came(payment, charge.created, source)
        restate(session, runtime, payment, source)
        if came:
            _post(session, runtime, payment, source)
            money_came(session, runtime, payment)
        if unheard:
            mark_dirty(payment)
        return Verdict.AMBIGUOUS if unheard else verdict
    if payment.stripe_status in TERMINAL_AT_STRIPE:
        return Verdict.NOTHING_NEW
    if charge.held and payment.stripe_status == "requires_capture":
        payment.stripe_charge_id = charge.id
        payment.capture_before = charge.capture_before or payment.capture_before
        restate(session, runtime, payment, source)
        return Verdict.TAKEN
    if payment.snapshot_at is not None and source.as_of < payment.snapshot_at:
        return Verdict.NOTHING_NEW
    if charge.status == "failed" and payment.status == "declined" and source.as_of == payment.snapshot_at:
        return Verdict.NOTHING_NEW
    if charge.amount_refunded or charge.disputed:
        mark_dirty(payment)
    return Verdict.AMBIGUOUS


def _grow_refunded(session: Session, payment: Payment, amount_refunded: int) -> Verdict:
    """Let what was given back grow, unless a refund has come to nothing: then an older total may be the higher one.

    A total that our rows don't make up tells of a refund of which nothing was heard so far: unless its event comes
    soon, it is fetched.
    """
    known = given_back(session, payment)
    if amount_refunded > payment.amount_refunded:
        fell = (Refund.payment_id == payment.id, Refund.status.in_(CAME_TO_NOTHING))
        if session.scalar(select(exists().where(*fell))):
            mark_dirty(payment)
            return Verdict.AMBIGUOUS
        payment.amount_refunded = amount_refunded
    return Verdict.TAKEN if known >= payment.amount_refunded else Verdict.AMBIGUOUS


def _money_came(payment: Payment, charged_at: dt.datetime | None, source: Source) -> bool:
    """Note when a payment's money came, by Stripe's clock; return whether this is the first that is heard of it.

    A card that is charged at once gives the money when its charge is made, however late that is heard of. Of a held
    amount the charge tells only when it was held; when it was captured, the source tells best.
    """
    if payment.paid_at is not None or payment.amount_received == 0:
        return False
    at_once = payment.capture_method == "automatic"
    payment.paid_at = charged_at if at_once and charged_at is not None else source.as_of
    return True


def _post(session: Session, runtime: Runtime, payment: Payment, source: Source) -> None:
    """Post what came, and leave behind a job that finds out what Stripe keeps of it."""
    if payment.stripe_charge_id is not None and post_capture(session, payment, source):
        ask_for_fee(session, runtime, payment, CHARGE, payment.stripe_charge_id)


def mark_dirty(payment: Payment) -> None:
    """Note that something was heard which only a fetch can clear up; by the version a fetch under way notices it."""
    payment.dirty = True
    payment.version += 1


def restate(session: Session, runtime: Runtime, payment: Payment, source: Source) -> None:
    """Bring the payment's status in line with its facts, which were set since the last query, and write the move."""
    if payment.stripe_status is None or not session.is_modified(payment):
        return
    move(session, runtime, payment, status_from(facts_of(payment)), source)


def facts_of(payment: Payment) -> Facts:
    """Return what the status of a payment that Stripe knows follows from."""
    return Facts(
        payment.stripe_status or "",
        payment.decline_code,
        payment.amount_received,
        payment.amount_refunded,
        disputed=payment.disputed,
    )


def locked(session: Session, payment_id: str) -> Payment:
    """Return a payment with its row locked."""
    return session.execute(
        select(Payment).where(Payment.id == payment_id).with_for_update().execution_options(populate_existing=True)
    ).scalar_one()
