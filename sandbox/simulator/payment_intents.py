"""PaymentIntents: create, read, list, update, capture, cancel (https://docs.stripe.com/api/payment_intents)."""

from typing import Any, Final

from sandbox.simulator import charges, confirmation, customers, issuers, payment_methods
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource, unexpected_state
from sandbox.simulator.events import emit
from sandbox.simulator.identifiers import SECRET_LENGTH
from sandbox.simulator.lists import page
from sandbox.simulator.money import check_amount, check_rounded
from sandbox.simulator.params import merged_metadata
from sandbox.simulator.state import Change

CANCELABLE: Final = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
UPDATABLE: Final = ("requires_payment_method", "requires_confirmation", "requires_action")
# What a publishable key may see of an intent: https://docs.stripe.com/api/payment_intents/retrieve
PUBLIC_FIELDS: Final = (
    "id",
    "object",
    "amount",
    "amount_details",
    "automatic_payment_methods",
    "canceled_at",
    "cancellation_reason",
    "capture_method",
    "client_secret",
    "confirmation_method",
    "created",
    "currency",
    "description",
    "last_payment_error",
    "livemode",
    "next_action",
    "payment_method",
    "payment_method_configuration_details",
    "payment_method_types",
    "processing",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "source",
    "status",
)


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make an intent, and confirm it at once if asked to.

    Raises:
        ApiError: an object named by the parameters does not exist, or, with ``confirm``, the card is declined.
    """
    if "customer" in values:
        customers.find(change, values["customer"], param="customer")
    new = _new(change, values)
    if "payment_method_data" in values:
        new["payment_method"] = payment_methods.create(change, values["payment_method_data"])["id"]
    elif "payment_method" in values:
        new["payment_method"] = payment_methods.find(change, values["payment_method"])["id"]
    if new["payment_method"]:
        new["status"] = "requires_confirmation"
    intent = change.create("payment_intents", new)
    emit(change, "payment_intent.created", intent)
    if not values.get("confirm"):
        return intent
    chosen = {name: value for name, value in values.items() if name in {"return_url", "off_session"}}
    return confirmation.confirm(change, intent, chosen)


def retrieve(change: Change, intent: str) -> JsonObject:
    """Return one intent.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("payment_intents", intent)
    if known is None:
        raise missing_resource("payment_intent", intent, param="intent", status=NOT_FOUND)
    return known


def public(intent: JsonObject) -> JsonObject:
    """Return what a shopper's browser may see of an intent."""
    return {name: intent[name] for name in PUBLIC_FIELDS}


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List intents, the newest first, of one customer or of all."""
    customer = values.get("customer")

    def matches(intent: JsonObject) -> bool:
        return customer is None or intent["customer"] == customer

    return page(change.state, "payment_intents", values, matches, url="/v1/payment_intents", noun="payment_intent")


def update(change: Change, intent: str, values: dict[str, Any]) -> JsonObject:
    """Change an intent's details; amount, currency and payment method only before it is paid.

    Raises:
        ApiError: its status does not allow the change.
    """
    before = retrieve(change, intent)
    money = {"amount", "capture_method", "currency", "payment_method"} & values.keys()
    if money and before["status"] not in UPDATABLE:
        raise unexpected_state(
            f"This PaymentIntent's {min(money)} could not be updated because it has a status of {before['status']}. "
            f"You may only update the {min(money)} of a PaymentIntent with one of the following statuses: "
            f"{', '.join(UPDATABLE)}.",
            before,
        )
    after = before | {name: value for name, value in values.items() if name not in {"expand", "metadata"}}
    if money:
        check_amount(after["amount"], after["currency"])
    if "customer" in values:
        customers.find(change, values["customer"], param="customer")
    if "shipping" in values:
        after["shipping"] = customers.shipping(values)
    if "metadata" in values:
        after["metadata"] = merged_metadata(before["metadata"], values["metadata"])
    if "payment_method" in values:
        after["payment_method"] = payment_methods.find(change, values["payment_method"])["id"]
        after |= {"status": "requires_confirmation", "next_action": None}
    return change.put("payment_intents", after)


def capture(change: Change, intent: str, values: dict[str, Any]) -> JsonObject:
    """Take the held amount, or a part of it.

    Raises:
        ApiError: nothing is held, or less than was asked for.
    """
    held = retrieve(change, intent)
    if held["status"] != "requires_capture":
        raise unexpected_state(
            f"This PaymentIntent could not be captured because it has a status of {held['status']}. Only a "
            "PaymentIntent with one of the following statuses may be captured: requires_capture.",
            held,
        )
    amount: int = values["amount_to_capture"] if "amount_to_capture" in values else held["amount_capturable"]
    if amount > held["amount_capturable"]:
        raise invalid(
            "The amount to capture is greater than the amount that can be captured.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    check_rounded(amount, held["currency"], param="amount_to_capture")
    charge = charges.capture(change, charges.find(change, held["latest_charge"], param="charge"), amount)
    captured = held | {"status": "succeeded", "amount_capturable": 0, "amount_received": amount}
    if "metadata" in values:
        captured["metadata"] = merged_metadata(held["metadata"], values["metadata"])
    change.put("payment_intents", captured)
    emit(change, "payment_intent.succeeded", captured)
    issuers.answer(change, charge, payment_methods.card_of(change, charge["payment_method"]))
    return captured


def cancel(change: Change, intent: str, values: dict[str, Any]) -> JsonObject:
    """Give an intent up; a held amount is released.

    Raises:
        ApiError: it is paid or cancelled already.
    """
    before = retrieve(change, intent)
    if before["status"] not in CANCELABLE:
        raise unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {before['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
            before,
        )
    if before["status"] == "requires_capture":
        charges.release(change, charges.find(change, before["latest_charge"], param="charge"))
    canceled = change.put(
        "payment_intents",
        before
        | {
            "status": "canceled",
            "amount_capturable": 0,
            "canceled_at": change.clock.now(),
            "cancellation_reason": values.get("cancellation_reason"),
            "next_action": None,
            "processing": None,
        },
    )
    emit(change, "payment_intent.canceled", canceled)
    return canceled


def confirm(change: Change, intent: str, values: dict[str, Any]) -> JsonObject:
    """Confirm an intent by id.

    Raises:
        ApiError: there is none, the card is declined, or its status does not allow it.
    """
    return confirmation.confirm(change, retrieve(change, intent), values)


def _new(change: Change, values: dict[str, Any]) -> JsonObject:
    identifier_ = change.identifiers.new("pi")
    asked = values.get("automatic_payment_methods")
    by_dashboard = asked["enabled"] if asked else "payment_method_types" not in values
    automatic = {"allow_redirects": (asked or {}).get("allow_redirects", "always"), "enabled": True}
    return {
        "id": identifier_,
        "object": "payment_intent",
        "amount": values["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": automatic if by_dashboard else None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": values.get("capture_method", "automatic_async"),
        "client_secret": f"{identifier_}_secret_{change.identifiers.letters(SECRET_LENGTH)}",
        "confirmation_method": values.get("confirmation_method", "automatic"),
        "created": change.clock.now(),
        "currency": values["currency"],
        "customer": values.get("customer"),
        "customer_account": None,
        "description": values.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": merged_metadata({}, values.get("metadata")),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": values.get("receipt_email"),
        "review": None,
        "setup_future_usage": values.get("setup_future_usage"),
        "shipping": customers.shipping(values),
        "source": None,
        "statement_descriptor": values.get("statement_descriptor"),
        "statement_descriptor_suffix": values.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": values.get("transfer_group"),
    }
