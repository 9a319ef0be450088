"""Confirming a PaymentIntent: what the shopper's card makes of it (https://docs.stripe.com/payments/paymentintents/lifecycle)."""

from dataclasses import dataclass
from typing import Any, Final

from sandbox.simulator import authentications, charges, issuers, payment_methods
from sandbox.simulator.account import JsonObject
from sandbox.simulator.cards import UNAUTHENTICATED, Card, Decline
from sandbox.simulator.errors import PAYMENT_REQUIRED, ApiError, doc_url, invalid, unexpected_state
from sandbox.simulator.events import emit
from sandbox.simulator.params import Param, Spec, boolean, choice, identifier, listing, mapping, text
from sandbox.simulator.state import Change

CONFIRMABLE: Final = {"requires_payment_method", "requires_confirmation", "requires_action"}
NOTICE_SECONDS: Final = 26 * 60 * 60  # how long an Indian bank has to tell the card's holder before it is charged

CONFIRM: Final[Spec] = {
    "payment_method": Param(identifier),
    "payment_method_data": Param(mapping(payment_methods.DATA)),
    "return_url": Param(text()),
    "use_stripe_sdk": Param(boolean),
    "off_session": Param(boolean),
    "receipt_email": Param(text()),
    "setup_future_usage": Param(choice("off_session", "on_session")),
    "client_secret": Param(identifier),
    "expand": Param(listing(identifier)),
}


@dataclass(frozen=True)
class Attempt:
    """One try at an intent: by which payment method, and which test card that is."""

    intent: JsonObject
    method: JsonObject
    card: Card
    authenticated: bool = False


def confirm(change: Change, intent: JsonObject, values: dict[str, Any]) -> JsonObject:
    """Try to pay an intent, and return it as it then is.

    Raises:
        ApiError: 402 when the card is declined, with the intent in the error; 400 when the intent can't be confirmed.
    """
    if intent["status"] not in CONFIRMABLE:
        raise unexpected_state(_refusal(intent), intent)
    method = _method(change, intent, values)
    card = payment_methods.card_of(change, method["id"])
    started = intent | {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    for name in ("receipt_email", "setup_future_usage"):
        if name in values:
            started[name] = values[name]
    attempt = Attempt(started, method, card)
    off_session = bool(values.get("off_session"))
    if card.authenticates and off_session and not _is_set_up(attempt):
        return _decline(change, attempt, UNAUTHENTICATED)
    if card.authenticates and not off_session:
        return _ask_shopper(change, attempt, values)
    if card.notifies_first and off_session:
        return _wait_for_notice(change, attempt)
    return pay(change, attempt)


def pay(change: Change, attempt: Attempt) -> JsonObject:
    """Charge the card of an attempt.

    Raises:
        ApiError: 402, the card is declined; the failed charge and its events stay.
    """
    if attempt.card.decline is not None:
        return _decline(change, attempt, attempt.card.decline)
    intent = attempt.intent
    if intent["setup_future_usage"] and intent["customer"] and attempt.method["customer"] is None:
        payment_methods.attach(change, attempt.method["id"], {"customer": intent["customer"]})
    charge = charges.succeed(change, intent, attempt.method, attempt.card, authenticated=attempt.authenticated)
    paid = intent | {"latest_charge": charge["id"], "next_action": None, "processing": None}
    if intent["capture_method"] == "manual":
        held = change.put(
            "payment_intents", paid | {"status": "requires_capture", "amount_capturable": intent["amount"]}
        )
        emit(change, "payment_intent.amount_capturable_updated", held)
        return held
    done = change.put("payment_intents", paid | {"status": "succeeded", "amount_received": intent["amount"]})
    emit(change, "payment_intent.succeeded", done)
    if intent["capture_method"] == "automatic_async":
        charge = charges.settle_later(change, charge)
    issuers.answer(change, charge, attempt.card)
    return done


def fail_authentication(change: Change, intent: JsonObject, method: JsonObject) -> JsonObject:
    """Send an intent back for another card because the shopper failed the 3-D Secure step; no charge was tried."""
    code = "payment_intent_authentication_failure"
    error = {
        "code": code,
        "doc_url": doc_url(code),
        "message": "We are unable to authenticate your payment method. Please choose a different payment method "
        "and try again.",
        "payment_method": method,
        "type": "invalid_request_error",
    }
    return _back_to_start(change, intent, error)


def finish_notices(change: Change) -> None:
    """Charge every off-session payment whose notice to the card's holder has run out."""
    for intent in change.state.all("payment_intents"):
        if intent["status"] != "processing" or not _is_over(change, intent):
            continue
        method = payment_methods.find(change, intent["payment_method"])
        pay(change, Attempt(intent, method, payment_methods.card_of(change, method["id"])))


def _is_over(change: Change, intent: JsonObject) -> bool:
    return bool(intent["processing"]["card"]["customer_notification"]["completes_at"] <= change.clock.now())


def _refusal(intent: JsonObject) -> str:
    if intent["status"] == "succeeded":
        return (
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed."
        )
    return (
        f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
        "with one of the following statuses may be confirmed: requires_confirmation, requires_action, "
        "requires_payment_method."
    )


def _method(change: Change, intent: JsonObject, values: dict[str, Any]) -> JsonObject:
    if "payment_method_data" in values:
        return payment_methods.create(change, values["payment_method_data"])
    chosen = values.get("payment_method") or intent["payment_method"]
    if chosen is None:
        raise unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
            intent,
        )
    found = payment_methods.find(change, chosen)
    if found["customer"] not in {None, intent["customer"]}:
        raise invalid(
            f"The payment method supplied ({chosen}) belongs to a different Customer ({found['customer']}). Please "
            "include the Customer in the `customer` parameter on the PaymentIntent.",
            param="payment_method",
        )
    return found


def _is_set_up(attempt: Attempt) -> bool:
    saved = attempt.method["customer"] is not None
    return attempt.card.is_set_up or (attempt.card.once_saved and saved)


def _ask_shopper(change: Change, attempt: Attempt, values: dict[str, Any]) -> JsonObject:
    action = authentications.begin(change, attempt.intent, values.get("return_url"))
    waiting = change.put("payment_intents", attempt.intent | {"status": "requires_action", "next_action": action})
    emit(change, "payment_intent.requires_action", waiting)
    return waiting


def _wait_for_notice(change: Change, attempt: Attempt) -> JsonObject:
    notice = {"approval_requested": False, "completes_at": change.clock.now() + NOTICE_SECONDS}
    processing = {"type": "card", "card": {"customer_notification": notice}}
    waiting = change.put("payment_intents", attempt.intent | {"status": "processing", "processing": processing})
    emit(change, "payment_intent.processing", waiting)
    return waiting


def _decline(change: Change, attempt: Attempt, decline: Decline) -> JsonObject:
    charge = charges.fail(change, attempt.intent, attempt.method, attempt.card, decline)
    details = {"charge": charge["id"], "decline_code": decline.decline_code}
    error = {
        "code": decline.code,
        "doc_url": doc_url(decline.code),
        "message": decline.message,
        "payment_method": attempt.method,
        "type": "card_error",
        **details,
    }
    intent = _back_to_start(change, attempt.intent | {"latest_charge": charge["id"]}, error)
    raise ApiError(
        PAYMENT_REQUIRED,
        decline.message,
        type="card_error",
        code=decline.code,
        keeps_effects=True,
        details=details | {"payment_intent": intent, "payment_method": attempt.method},
    )


def _back_to_start(change: Change, intent: JsonObject, error: JsonObject) -> JsonObject:
    failed = change.put(
        "payment_intents",
        intent
        | {
            "status": "requires_payment_method",
            "payment_method": None,
            "last_payment_error": error,
            "next_action": None,
            "processing": None,
        },
    )
    emit(change, "payment_intent.payment_failed", failed)
    return failed
