"""PaymentIntents: asking Stripe for a payment's one and only, and looking for it."""

from dataclasses import dataclass
from functools import partial

from config.errors import StripeOutcomeUnknownError
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from workers.gateways.payment_intent_params import Taking
from workers.gateways.snapshots import PaymentIntentSnapshot
from workers.gateways.stripe import idempotency_key, operation_name
from workers.jobs.attempt import Attempt
from workers.services import heard
from workers.services.customers import KnownCustomer

VERB = "create"
OBJECT_MISSING = "resource_missing"  # https://docs.stripe.com/error-codes#resource-missing


@dataclass(frozen=True, slots=True)
class Made(heard.Heard[PaymentIntentSnapshot]):
    """A PaymentIntent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What Stripe is asked for: whose payment, and how it is taken."""

    request: CreatePayment
    stripe_customer: str
    taking: Taking


def taking(request: CreatePayment, customer: KnownCustomer, saved_card: str | None = None) -> Taking:
    """Return how a payment's money is taken; the receipt goes to the address that the customer is known by."""
    return Taking(
        manual=request.capture_method == "manual",
        save_card=request.save_card,
        saved_card=saved_card,
        receipt_email=customer.email if request.receipt else None,
    )


def ask(attempt: Attempt, asked: Asked, *, generation: int) -> Made:
    """Ask for the PaymentIntent; raises StripeError as the gateway does."""
    request = asked.request
    operation = operation_name(request.payment_id, VERB, generation)
    attempt.before_call()
    answer = attempt.runtime.stripe.create_payment_intent(
        amount=request.amount,
        currency=request.currency,
        customer_id=asked.stripe_customer,
        description=request.description,
        metadata={
            **request.metadata,
            "booking_reference": request.booking_reference,
            "tollgate_payment": request.payment_id,
        },
        operation=operation,
        idempotency_key=idempotency_key(operation),
        taking=asked.taking,
    )
    return Made(answer, "response")


def look(attempt: Attempt, request: CreatePayment, customer: KnownCustomer, stripe_customer: str) -> Made | None:
    """Find what an earlier attempt made, under any generation of its key, for whomever the customer was at Stripe."""
    operation = operation_name(request.payment_id, VERB, attempt.job.intent_generation)
    for stripe_id in (stripe_customer, *customer.former_stripe_ids):
        # That it is refused, for instance since the customer was deleted in the dashboard, tells nothing of before.
        find = partial(attempt.runtime.stripe.find_payment_intent, operation=operation, between=attempt.before_call)
        found = heard.looked_up(attempt, partial(find, customer_id=stripe_id))
        if found is not None:
            return Made(found, "fetch")
    return None


def ask_again(attempt: Attempt, asked: Asked) -> Made:
    """Ask under the same key while Stripe surely remembers it.

    Raises:
        StripeOutcomeUnknownError: if the key may be forgotten, or its stored answer is still a failure.
    """
    job, settings = attempt.job, attempt.runtime.settings.jobs
    age = job.intent_age or 0.0
    if age >= settings.resend_limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    try:
        return ask(attempt, asked, generation=job.intent_generation)
    except StripeOutcomeUnknownError as error:
        if asked.taking.saved_card is not None:
            raise  # the first request may have taken money: an operator decides
        if not error.replayed or (job.failure_age or 0.0) < settings.generation_wait:
            raise
    # Stripe's stored answer is a failure and its lists have shown nothing for minutes. An unconfirmed PaymentIntent
    # takes no money and nobody has its client secret, so the next generation of the key may make one.
    return ask_anew(attempt, asked)


def ask_anew(attempt: Attempt, asked: Asked) -> Made:
    """Ask under the next generation of the key, once it is certain that those before it made nothing that matters."""
    generation = attempt.job.intent_generation + 1
    with attempt.transaction(Step.NEXT_GENERATION) as session:
        attempt.intend(session, operation_name(asked.request.payment_id, VERB, generation), generation)
    return ask(attempt, asked, generation=generation)
