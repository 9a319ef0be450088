"""Charges: one attempt to take money from a card (https://docs.stripe.com/api/charges)."""

from typing import Any, Final

from sandbox.simulator import balance_transactions
from sandbox.simulator.account import ACCOUNT_ID, STATEMENT_DESCRIPTOR, JsonObject
from sandbox.simulator.cards import Card, Decline
from sandbox.simulator.errors import BAD_REQUEST, NOT_FOUND, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, identifier
from sandbox.simulator.state import Change

LIST: Final[Spec] = LIST_PARAMS | {"payment_intent": Param(identifier), "customer": Param(identifier)}

AUTHORISATION_SECONDS: Final = 7 * 24 * 60 * 60  # how long an issuer holds an authorised amount
RISK_NORMAL: Final = 12  # Radar's score of an ordinary payment, out of 100
RISK_HIGHEST: Final = 87  # the score from which Radar blocks

Authenticated = bool


def succeed(
    change: Change, intent: JsonObject, method: JsonObject, card: Card, *, authenticated: Authenticated
) -> JsonObject:
    """Take or hold the intent's amount, as its capture method says, and announce the charge."""
    captured = intent["capture_method"] != "manual"
    charge = _new(change, intent, method, card, authenticated=authenticated) | {
        "amount_captured": intent["amount"] if captured else 0,
        "calculated_statement_descriptor": STATEMENT_DESCRIPTOR,
        "captured": captured,
        "outcome": _outcome("approved_by_network", "Payment complete.", "authorized"),
        "paid": True,
        "status": "succeeded",
    }
    charge["receipt_url"] = f"https://pay.stripe.com/receipts/payment/{ACCOUNT_ID}/{charge['id']}"
    if intent["capture_method"] == "automatic":
        charge["balance_transaction"] = balance_transactions.for_charge(change, charge)["id"]
    change.create("charges", charge)
    emit(change, "charge.succeeded", charge)
    return charge


def settle_later(change: Change, charge: JsonObject) -> JsonObject:
    """Add the balance transaction that asynchronous capture leaves out of the first snapshot."""
    booked = balance_transactions.for_charge(change, charge)
    after = change.put("charges", charge | {"balance_transaction": booked["id"]})
    emit(change, "charge.updated", after, charge)
    return after


def fail(change: Change, intent: JsonObject, method: JsonObject, card: Card, decline: Decline) -> JsonObject:
    """Record an attempt that took nothing, and announce it."""
    if decline.blocked:
        outcome = _outcome("not_sent_to_network", "Stripe blocked this payment as too risky.", "blocked")
        outcome |= {"reason": "highest_risk_level", "risk_level": "highest", "risk_score": RISK_HIGHEST}
    else:
        outcome = _outcome("declined_by_network", "The bank did not return any further details.", "issuer_declined")
        outcome |= {"reason": decline.decline_code}
    charge = change.create(
        "charges",
        _new(change, intent, method, card, authenticated=False)
        | {
            "failure_code": decline.code,
            "failure_message": decline.message,
            "outcome": outcome,
            "status": "failed",
        },
    )
    emit(change, "charge.failed", charge)
    return charge


def capture(change: Change, charge: JsonObject, amount: int) -> JsonObject:
    """Take a held amount, or a part of it; the rest goes back to the card and counts as refunded, as at Stripe."""
    captured = charge | {
        "amount_captured": amount,
        "amount_refunded": charge["amount"] - amount,
        "captured": True,
    }
    captured["balance_transaction"] = balance_transactions.for_charge(change, captured)["id"]
    change.put("charges", captured)
    emit(change, "charge.captured", captured, charge)
    return captured


def release(change: Change, charge: JsonObject) -> JsonObject:
    """Let a held amount go without taking it."""
    after = change.put("charges", charge | {"amount_refunded": charge["amount"], "refunded": True})
    emit(change, "charge.refunded", after, charge)
    return after


def retrieve(change: Change, charge: str) -> JsonObject:
    """Return one charge.

    Raises:
        ApiError: 404, there is none.
    """
    return find(change, charge, param="id", status=NOT_FOUND)


def find(change: Change, charge: str, *, param: str, status: int = BAD_REQUEST) -> JsonObject:
    """Return a charge that a parameter names.

    Raises:
        ApiError: there is none.
    """
    known = change.get("charges", charge)
    if known is None:
        raise missing_resource("charge", charge, param=param, status=status)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List charges, the newest first, of a PaymentIntent or a customer."""
    filters = {name: values[name] for name in ("payment_intent", "customer") if name in values}

    def matches(charge: JsonObject) -> bool:
        return all(charge[name] == wanted for name, wanted in filters.items())

    return page(change.state, "charges", values, matches, url="/v1/charges", noun="charge")


def _outcome(network_status: str, message: str, kind: str) -> JsonObject:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": None,
        "risk_level": "normal",
        "risk_score": RISK_NORMAL,
        "seller_message": message,
        "type": kind,
    }


def _new(
    change: Change, intent: JsonObject, method: JsonObject, card: Card, *, authenticated: Authenticated
) -> JsonObject:
    return {
        "id": change.identifiers.new("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": None,
        "captured": False,
        "created": change.clock.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        # Stripe copies an intent's metadata to its charge once, at the attempt.
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": _method_details(change, intent, method, card, authenticated=authenticated),
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }


def _method_details(
    change: Change, intent: JsonObject, method: JsonObject, card: Card, *, authenticated: Authenticated
) -> JsonObject:
    shown = method["card"]
    secure = {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": change.identifiers.letters(32),
        "version": "2.2.0",
    }
    capture_before = change.clock.now() + AUTHORISATION_SECONDS
    details = {
        "amount_authorized": None if card.decline else intent["amount"],
        "authorization_code": None,
        "brand": shown["brand"],
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": shown["country"],
        "exp_month": shown["exp_month"],
        "exp_year": shown["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": shown["fingerprint"],
        "funding": shown["funding"],
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "last4": shown["last4"],
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": shown["brand"],
        "network_token": {"used": False},
        "network_transaction_id": change.identifiers.letters(15),
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": secure if authenticated else None,
        "wallet": None,
    }
    if intent["capture_method"] == "manual" and card.decline is None:
        details["capture_before"] = capture_before
    return {"card": details, "type": "card"}
