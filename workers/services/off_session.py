"""Off-session payments: charging a customer's saved card while they are away, exactly once.

Money moves as soon as Stripe is asked. Therefore the card is chosen and committed before, so that a repetition asks for
the same thing under the same key, and no new generation of the key is ever begun: what can't be found out waits for an
operator. (https://docs.stripe.com/payments/save-and-reuse#charge-saved-payment-method)
"""

from collections.abc import Sequence
from datetime import datetime

from config.errors import StripeInvalidError, StripeOutcomeUnknownError
from models.payment import Payment
from tasks.contracts.payments import CreatePayment
from tasks.contracts.steps import Step
from workers.gateways.snapshots import SavedCard
from workers.jobs.attempt import Attempt
from workers.jobs.ending import in_doubt, nothing_found, unsent
from workers.jobs.outcome import Outcome
from workers.services import customers
from workers.services.customers import KnownCustomer
from workers.services.payment_intents import OBJECT_MISSING, Asked, Made, ask, ask_again, look, taking


def charge(attempt: Attempt, request: CreatePayment, customer: KnownCustomer) -> Made | Outcome:
    """Charge the customer's newest saved card that is still valid, or find the charge that an earlier attempt made.

    Returns:
        the PaymentIntent, whether it was paid or declined; or why there is none and can be none.

    Raises:
        StripeError: as the gateway does.
        StripeOutcomeUnknownError: also if the charge can't be found, and may have been made.
    """
    committed = _committed_card(attempt, request)
    stripe_customer = customers.look_up(attempt, customer)
    if attempt.job.may_have_asked and stripe_customer is not None:
        made = look(attempt, request, customer, stripe_customer)
        if made is not None:
            return made
    if attempt.job.stopped_for is not None:
        return _over(attempt, committed)
    limit = attempt.runtime.settings.jobs.resend_limit
    if committed is None and attempt.job.taken_in_late and (attempt.job.intent_age or 0.0) >= limit:
        raise StripeOutcomeUnknownError("Stripe may have forgotten the key: nothing is sent, only looked up")
    card = committed or (None if stripe_customer is None else _choose(attempt, request, stripe_customer))
    if stripe_customer is None or card is None:
        return no_saved_card()
    asked = Asked(request, stripe_customer, taking(request, customer, card))
    return _charged(attempt, asked, for_the_first_time=committed is None)


def _charged(attempt: Attempt, asked: Asked, *, for_the_first_time: bool) -> Made | Outcome:
    try:
        if for_the_first_time:
            return ask(attempt, asked, generation=attempt.job.intent_generation)
        return ask_again(attempt, asked)
    except StripeInvalidError as error:
        if error.code != OBJECT_MISSING:
            raise
        return no_saved_card()  # it was taken away at Stripe since it was chosen


def no_saved_card() -> Outcome:
    """Return the refusal of a charge for which there is no card."""
    detail = "The customer has no saved card that could be charged: have them pay by themselves, with a new payment."
    return Outcome("refused", problem={"code": "no_saved_card", "detail": detail})


def newest_usable(cards: Sequence[SavedCard], now: datetime) -> SavedCard | None:
    """Return the card that was saved last of those that have not expired; a card is valid to the end of its month."""
    usable = [card for card in cards if card.expires >= (now.year, now.month)]
    return max(usable, key=lambda card: card.created, default=None)


def _over(attempt: Attempt, card: str | None) -> Outcome:
    if card is None and not attempt.job.taken_in_late:
        return unsent(attempt.job)
    if attempt.job.said_not_done:
        return nothing_found(attempt.runtime, attempt.job)
    doubt = "nothing more is sent, and whether the card was charged is not known"
    if (attempt.job.stopped_for or 0.0) < attempt.runtime.settings.jobs.generation_wait:
        raise StripeOutcomeUnknownError(doubt)
    return in_doubt(attempt.job, doubt)


def _committed_card(attempt: Attempt, request: CreatePayment) -> str | None:
    with attempt.runtime.reading() as session:
        return session.get_one(Payment, request.payment_id).saved_card


def _choose(attempt: Attempt, request: CreatePayment, stripe_customer: str) -> str | None:
    attempt.before_call()
    try:
        answer = attempt.runtime.stripe.list_saved_cards(stripe_customer)
    except StripeInvalidError as error:
        if error.code != OBJECT_MISSING:
            raise
        return None  # the customer was deleted in Stripe's dashboard, and their cards with them
    card = newest_usable(answer.value, answer.as_of)
    if card is None:
        return None
    with attempt.transaction(Step.CHOOSE_CARD) as session:
        session.get_one(Payment, request.payment_id).saved_card = card.id
    return card.id
