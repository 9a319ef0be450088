"""Invoice payments (https://docs.stripe.com/api/invoice-payment): which PaymentIntent pays how much of an invoice."""

from typing import Any

from sandbox.simulator import customers, payment_intents
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import page
from sandbox.simulator.state import Change


def begin(change: Change, invoice: JsonObject, intent: JsonObject, *, is_default: bool = False) -> JsonObject:
    """Note that an intent is there to pay an invoice."""
    payment = change.create(
        "invoice_payments",
        {
            "id": change.identifiers.new("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": invoice["amount_remaining"] if is_default else intent["amount"],
            "created": change.clock.now(),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": is_default,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        },
    )
    change.put("intent_invoices", {"id": intent["id"], "invoice": invoice["id"], "payment": payment["id"]})
    held = change.get("payments_of_invoices", invoice["id"]) or {"id": invoice["id"], "payments": []}
    change.put("payments_of_invoices", held | {"payments": [payment["id"], *held["payments"]]})
    return payment


def begin_default(change: Change, invoice: JsonObject) -> JsonObject:
    """Make the PaymentIntent that Stripe makes for an invoice as soon as it is finalized."""
    asked = {
        "amount": invoice["amount_remaining"],
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "capture_method": "automatic",
        "description": "Payment for Invoice",
        "payment_method_types": ["card"],
    }
    return begin(change, invoice, payment_intents.create(change, asked), is_default=True)


def attach(change: Change, invoice: JsonObject, name: str) -> None:
    """Let a PaymentIntent of the merchant's own pay an open invoice; one that has succeeded is credited at once.

    Raises:
        ApiError: there is no such intent, it is cancelled, pays another invoice, or does not fit this one.
    """
    intent = change.get("payment_intents", name)
    if intent is None:
        raise missing_resource("payment_intent", name, param="payment_intent")
    for what in ("currency", "customer"):
        if intent[what] != invoice[what]:
            raise invalid(
                f"The PaymentIntent's {what} ({intent[what]}) does not match the invoice's {what} ({invoice[what]}).",
                param="payment_intent",
            )
    if change.get("intent_invoices", name) is not None or intent["status"] == "canceled":
        raise invalid(f"The PaymentIntent {name} cannot be attached to this invoice.", param="payment_intent")
    payment = begin(change, invoice, intent)
    if intent["status"] == "succeeded":
        _credit(change, payment, intent)


def settle(change: Change) -> None:
    """Bring what this change did to PaymentIntents home to the invoices that they pay; twice is as good as once."""
    for intent in change.written("payment_intents"):
        link = change.get("intent_invoices", intent["id"])
        payment = change.get("invoice_payments", link["payment"]) if link is not None else None
        if payment is None or payment["status"] != "open":
            continue
        if intent["status"] == "succeeded":
            _credit(change, payment, intent)
        elif intent["status"] == "canceled":
            _cancel(change, payment)
        elif intent["status"] == "requires_payment_method":
            _note_failure(change, payment, intent)


def close_default(change: Change, invoice: JsonObject, reason: str) -> None:
    """Cancel the default payment of an invoice that needs it no more, and its intent."""
    for payment in of_invoice(change, invoice["id"]):
        if payment["is_default"] and payment["status"] == "open":
            payment_intents.cancel(change, payment["payment"]["payment_intent"], {"cancellation_reason": reason})
            _cancel(change, payment)


def default_of(change: Change, invoice: JsonObject) -> JsonObject:
    """Return the PaymentIntent of an open invoice's default payment.

    Raises:
        ApiError: the invoice has none that is open.
    """
    for payment in of_invoice(change, invoice["id"]):
        if payment["is_default"] and payment["status"] == "open":
            return payment_intents.retrieve(change, payment["payment"]["payment_intent"])
    raise invalid("This invoice can no longer be paid.")


def of_invoice(change: Change, invoice: str) -> list[JsonObject]:
    """Return an invoice's payments, the newest first."""
    held = change.get("payments_of_invoices", invoice) or {"payments": []}
    return [retrieve(change, each) for each in held["payments"]]


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one invoice payment.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("invoice_payments", name)
    if known is None:
        raise missing_resource("invoice_payment", name, param="invoice_payment", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List invoice payments, the newest first, of an invoice, of a PaymentIntent, or of a status."""
    filters = {name: values[name] for name in ("invoice", "status") if name in values}
    intent = values.get("payment", {}).get("payment_intent")

    def matches(payment: JsonObject) -> bool:
        if intent is not None and payment["payment"]["payment_intent"] != intent:
            return False
        return all(payment[name] == wanted for name, wanted in filters.items())

    return page(change.state, "invoice_payments", values, matches, url="/v1/invoice_payments", noun="invoice_payment")


def _credit(change: Change, payment: JsonObject, intent: JsonObject) -> None:
    invoice = change.get("invoices", payment["invoice"])
    assert invoice is not None  # noqa: S101  # narrows the type: what has a payment is finalized, and never deleted
    now = change.clock.now()
    credited = min(intent["amount_received"], invoice["amount_remaining"])
    paid = {"amount_paid": credited, "status": "paid", "status_transitions": {"canceled_at": None, "paid_at": now}}
    emit(change, "invoice_payment.paid", change.put("invoice_payments", payment | paid))
    after = invoice | {
        "amount_paid": invoice["amount_paid"] + credited,
        "amount_remaining": invoice["amount_remaining"] - credited,
        "attempted": True,
        "attempt_count": max(invoice["attempt_count"], 1),
    }
    over = intent["amount_received"] - credited
    if over:
        after["amount_overpaid"] = invoice["amount_overpaid"] + over
        customers.add_balance(change, invoice["customer"], -over)
    if after["amount_remaining"] == 0 and invoice["status"] in {"open", "uncollectible"}:
        after |= paid_at(invoice, now)
    change.put("invoices", after)
    emit(change, "invoice.updated", after, invoice)
    if over:
        emit(change, "invoice.overpaid", after)
    if after["status"] == invoice["status"]:
        _keep_default(change, after)
        return
    close_default(change, after, "automatic")
    emit(change, "invoice.paid", after)
    emit(change, "invoice.payment_succeeded", after)


def paid_at(invoice: JsonObject, now: int) -> JsonObject:
    """Return what becomes of an invoice once nothing of it is left to pay."""
    return {
        "auto_advance": False,
        "status": "paid",
        "status_transitions": invoice["status_transitions"] | {"paid_at": now},
    }


def _keep_default(change: Change, invoice: JsonObject) -> None:
    """Let the default payment ask for what is left of its invoice."""
    for payment in of_invoice(change, invoice["id"]):
        if payment["is_default"] and payment["status"] == "open":
            left = invoice["amount_remaining"]
            change.put("invoice_payments", payment | {"amount_requested": left})
            intent = payment_intents.retrieve(change, payment["payment"]["payment_intent"])
            change.put("payment_intents", intent | {"amount": left})


def _cancel(change: Change, payment: JsonObject) -> None:
    ended = {"status": "canceled", "status_transitions": {"canceled_at": change.clock.now(), "paid_at": None}}
    change.put("invoice_payments", payment | ended)


def _note_failure(change: Change, payment: JsonObject, intent: JsonObject) -> None:
    """Tell of an attempt at an invoice that a card has declined in this change."""
    before = change.state.get("payment_intents", intent["id"]) or {"latest_charge": None}
    invoice = change.get("invoices", payment["invoice"])
    if invoice is None or before["latest_charge"] == intent["latest_charge"]:
        return
    after = invoice | {"attempted": True, "attempt_count": max(invoice["attempt_count"], 1)}
    change.put("invoices", after)
    if after != invoice:
        emit(change, "invoice.updated", after, invoice)
    emit(change, "invoice.payment_failed", after)
