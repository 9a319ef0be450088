"""Payments: making a PaymentIntent exactly once."""

import datetime as dt
import json

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from config.errors import DuplicatePaymentError, StripeInvalidError
from config.keyring import Keyring
from models.encrypted import encrypt
from models.payment import Payment
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from workers.gateways.stripe import operation_name
from workers.jobs.attempt import Attempt
from workers.jobs.ending import nothing_found
from workers.jobs.failure import duplicate
from workers.jobs.outcome import Outcome, done
from workers.jobs.row import JobRow
from workers.runtime import Runtime
from workers.services import customers
from workers.services.announcements import announce
from workers.services.bookings import admit
from workers.services.customers import KnownCustomer
from workers.services.heard import source_of
from workers.services.moves import Source, move, note
from workers.services.off_session import charge
from workers.services.payment_intents import (
    OBJECT_MISSING,
    VERB,
    Asked,
    Made,
    ask,
    ask_again,
    ask_anew,
    look,
    taking,
)
from workers.services.refreshes import ask_for_refresh
from workers.services.stripe_objects import Verdict, apply_payment_intent, locked

BEGUN = "processing"  # a payment's first status, if its job begins at all
# What a job that is not done means for its payment.
_SETTLED = {"waiting": BEGUN, "checking": "checking", "cancelled": "canceled"}
_UNMADE = frozenset({BEGUN, "checking", "failed"})  # statuses of a payment that Stripe is not known to have


def create(attempt: Attempt, request: CreatePayment) -> Outcome:
    """Make the payment's PaymentIntent, or find the one that an earlier attempt made.

    The intent is committed before Stripe is asked. An attempt that follows one with an intent looks before it asks
    again, always under the same key (see `ask_again`).
    """
    customer, admitted = _prepare(attempt, request)
    if not admitted:
        return _refuse_unless_made(attempt, request, customer)
    if request.off_session:
        made = charge(attempt, request, customer)
        return made if isinstance(made, Outcome) else _made(attempt, request, made)
    if attempt.job.stopped_for is not None:
        return _look_a_last_time(attempt, request, customer)
    stripe_customer = customers.at_stripe(attempt, customer)
    try:
        made = _make(attempt, request, customer, stripe_customer)
    except StripeInvalidError as error:
        if error.code != OBJECT_MISSING or customer.stripe_id is None:
            raise
        made = _make_for_new_customer(attempt, request, customer)
    return _made(attempt, request, made)


def _make(attempt: Attempt, request: CreatePayment, customer: KnownCustomer, stripe_customer: str) -> Made:
    asked = Asked(request, stripe_customer, taking(request, customer))
    if not attempt.job.may_have_asked:
        return ask(attempt, asked, generation=attempt.job.intent_generation)
    return look(attempt, request, customer, stripe_customer) or ask_again(attempt, asked)


def _look_a_last_time(attempt: Attempt, request: CreatePayment, customer: KnownCustomer) -> Outcome:
    """Find what was made before the job expired or was cancelled; say that there is nothing only when that is certain.

    Raises:
        StripeOutcomeUnknownError: if nothing is found, but what was sent last may still show up.
    """
    stripe_customer = customers.look_up(attempt, customer)
    made = None if stripe_customer is None else look(attempt, request, customer, stripe_customer)
    if made is not None:
        return _made(attempt, request, made)
    return nothing_found(attempt.runtime, attempt.job)


def _refuse_unless_made(attempt: Attempt, request: CreatePayment, customer: KnownCustomer) -> Outcome:
    """Refuse a duplicate of which a restored database does not know whether it was made; Stripe knows."""
    stripe_customer = customers.look_up(attempt, customer)
    made = None if stripe_customer is None else look(attempt, request, customer, stripe_customer)
    return duplicate(DuplicatePaymentError()) if made is None else _made(attempt, request, made)


def _made(attempt: Attempt, request: CreatePayment, made: Made) -> Outcome:
    return done(
        lambda session: _record(session, attempt.runtime, request.payment_id, made), request_id=made.answer.request_id
    )


def _make_for_new_customer(attempt: Attempt, request: CreatePayment, customer: KnownCustomer) -> Made:
    """Make the PaymentIntent for a customer made anew, since the one we know was deleted in Stripe's dashboard.

    Stripe's refusal proves that nothing was made under the key so far; the next generation of it names what is asked
    now, for other parameters under the old one would be refused.
    """
    stripe_customer = customers.replace(attempt, customer)
    return ask_anew(attempt, Asked(request, stripe_customer, taking(request, customer)))


def _prepare(attempt: Attempt, request: CreatePayment) -> tuple[KnownCustomer, bool]:
    """Make the rows, and commit what will be asked; return the customer, and whether the payment is admitted."""
    with attempt.transaction(Step.INTENT) as session:
        job = attempt.job
        admitted = job.stopped_for is not None or admit(session, attempt.runtime, job, request)
        customer = _remember(session, attempt.runtime, job, request, status=BEGUN)
        begins = admitted and job.stopped_for is None
        if begins and job.fence > 1:
            _reopen(session, attempt.runtime, job, request.payment_id)
        if begins and job.intent is None:
            attempt.intend(
                session, operation_name(request.payment_id, VERB, job.intent_generation), job.intent_generation
            )
        return customer, admitted


def _reopen(session: Session, runtime: Runtime, job: JobRow, payment_id: str) -> None:
    """Let a payment whose dead job is replayed be `failed` no more: from now on money may move."""
    payment = locked(session, payment_id)
    if payment.status == "failed" and payment.stripe_id is None:
        move(session, runtime, payment, BEGUN, Source("job", payment.created_at, job.id))


def _remember(session: Session, runtime: Runtime, job: JobRow, request: CreatePayment, *, status: str) -> KnownCustomer:
    """Make the customer's and the payment's rows, unless they are there."""
    settings = runtime.settings
    customer = customers.remember(
        session,
        settings,
        client_id=job.client_id,
        name=request.customer_name,
        email=request.customer_email,
    )
    made = session.execute(
        insert(Payment)
        .values(
            id=request.payment_id,
            client_id=job.client_id,
            job_id=job.id,
            customer_id=customer.id,
            booking_reference=request.booking_reference,
            amount=request.amount,
            currency=request.currency,
            capture_method=request.capture_method,
            off_session=request.off_session,
            hold_token=request.hold_token,
            hold_expires_at=dt.datetime.fromisoformat(request.hold_expires_at) if request.hold_expires_at else None,
            hold_late=request.hold_late,
            status=status,
            **_sealed(settings.encryption_keys, request),
        )
        .on_conflict_do_nothing()
        .returning(Payment.id)
    ).first()
    if made is not None:
        source = Source("job", job.accepted_at, job.id)
        note(session, "payment", request.payment_id, old=None, new=status, source=source)
        if status != BEGUN:  # it ended before anything was begun; that it was begun its client knows
            announce(session, runtime, f"payment.{status}", session.get_one(Payment, request.payment_id))
    return customer


def _sealed(ring: Keyring, request: CreatePayment) -> dict[str, bytes | None]:
    texts = {
        "description": request.description,
        "booking_metadata": json.dumps(dict(request.metadata)),
        "shopper_ip": request.shopper_ip,
        "shopper_user_agent": request.shopper_user_agent,
    }
    return {
        column: None if text is None else encrypt(ring, "payments", column, request.payment_id, text)
        for column, text in texts.items()
    }


def _record(session: Session, runtime: Runtime, payment_id: str, made: Made) -> None:
    answer = made.answer
    payment = locked(session, payment_id)
    source = source_of(answer, made.source)
    verdict = apply_payment_intent(session, runtime, payment, answer.value, source)
    if verdict is Verdict.AMBIGUOUS:
        ask_for_refresh(session, runtime, payment, slot=payment.job_id, request_id="")


def settle_create(session: Session, runtime: Runtime, job: JobRow, request: CreatePayment, outcome: Outcome) -> None:
    """Tell on the payment what its job's unfinished or unhappy end means.

    `failed` needs proof that no money moved: Stripe refused, or was never asked. Everything else is `checking`.
    """
    proof = outcome.state == "refused" or outcome.verdict == "safe_to_replay"
    status = _SETTLED.get(outcome.state, "failed" if proof else "checking")
    _remember(session, runtime, job, request, status=status)
    payment = locked(session, request.payment_id)
    if payment.stripe_id is None and payment.status in _UNMADE and payment.status != status:
        as_of = payment.created_at
        move(session, runtime, payment, status, Source("job", as_of, outcome.request_id or job.id))
