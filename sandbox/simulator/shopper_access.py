"""What a shopper's browser may do: see and confirm the PaymentIntent whose client secret it holds, and authenticate."""

from html import escape
from typing import Any, Final

from sandbox.simulator import authentications, confirmation, payment_intents, payment_methods
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, ApiError, invalid, missing_resource
from sandbox.simulator.money import shown
from sandbox.simulator.state import Change

OUTCOMES: Final = ("complete", "fail")


def check_secret(intent: JsonObject, values: dict[str, Any]) -> None:
    """Hold a shopper to the client secret of the intent.

    Raises:
        ApiError: the secret is missing or another's.
    """
    if "client_secret" not in values:
        raise invalid("Missing required param: client_secret.", param="client_secret", code="parameter_missing")
    if values["client_secret"] != intent["client_secret"]:
        raise invalid(
            "The client_secret provided does not match any associated PaymentIntent on this account. Ensure the "
            "provided client_secret is correct and that the PaymentIntent belongs to this account.",
            param="client_secret",
            code="resource_missing",
        )


def run(change: Change, intent: str, values: dict[str, Any], *, confirms: bool) -> JsonObject:
    """Answer a shopper's request about an intent with the fields a shopper may see.

    Raises:
        ApiError: the client secret does not fit, or the confirmation fails; its intent is cut to the public fields too.
    """
    known = payment_intents.retrieve(change, intent)
    check_secret(known, values)
    if not confirms:
        return payment_intents.public(known)
    try:
        return payment_intents.public(confirmation.confirm(change, known, values))
    except ApiError as error:
        if "payment_intent" in error.details:
            error.details |= {"payment_intent": payment_intents.public(error.details["payment_intent"])}
        raise


def page(change: Change, step: str) -> str:
    """Return the HTML page of a 3-D Secure step.

    Raises:
        ApiError: 404, there is no such step or it is over.
    """
    intent, _ = _waiting(change, step)
    return authentications.PAGE.format(amount=escape(shown(intent["amount"], intent["currency"])))


def finish(change: Change, step: str, outcome: str) -> tuple[JsonObject, str | None]:
    """Take the shopper's answer to the 3-D Secure step; return the intent and where the browser goes next.

    A card that is declined after authentication leaves the intent for another card; the browser goes on all the same.

    Raises:
        ApiError: there is no such step, it is over, or the answer is none of ``complete`` and ``fail``.
    """
    if outcome not in OUTCOMES:
        raise invalid("Invalid outcome: must be one of complete or fail", param="outcome")
    intent, return_url = _waiting(change, step)
    method = payment_methods.find(change, intent["payment_method"])
    card = payment_methods.card_of(change, method["id"])
    if outcome == "fail":
        return confirmation.fail_authentication(change, intent, method), return_url
    try:
        attempt = confirmation.Attempt(intent, method, card, authenticated=True)
        return confirmation.pay(change, attempt), return_url
    except ApiError as declined:
        if not declined.keeps_effects:
            raise
        return declined.details["payment_intent"], return_url


def _waiting(change: Change, step: str) -> tuple[JsonObject, str | None]:
    known = change.get("authentications", step)
    intent = change.get("payment_intents", known["payment_intent"]) if known is not None else None
    if known is None or intent is None or not authentications.is_waiting(intent, step):
        raise missing_resource("authentication that is still waiting", step, param="id", status=NOT_FOUND)
    return intent, known["return_url"]
