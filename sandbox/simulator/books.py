"""The account's money facts, for holding another system's books against them."""

from collections import Counter
from typing import Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.state import State

OPERATION: Final = "tollgate_operation"  # the metadata key under which a caller notes what it was doing

INVOICE: Final = (
    "number",
    "customer",
    "status",
    "currency",
    "total",
    "amount_due",
    "amount_paid",
    "amount_paid_off_stripe",
    "amount_overpaid",
    "amount_remaining",
    "due_date",
)
PAYMENT: Final = ("amount_paid", "is_default", "status")


def money_facts(state: State) -> JsonObject:
    """Return everything that is about money with its amounts in minor units, and totals per currency.

    ``net`` of a charge is what was captured less what was given back of it; an uncaptured remainder counts as neither.
    """
    charges = [_charge(state, each) for each in state.oldest("charges")]
    return {
        "charges": charges,
        "payment_intents": [_intent(state, each) for each in state.oldest("payment_intents")],
        "customers": [
            _facts(state, each, "email", "name") | {"operation": each["metadata"].get(OPERATION)}
            for each in state.oldest("customers")
        ],
        "refunds": [
            _facts(state, each, "amount", "currency", "status", "charge", "payment_intent", "reason")
            | {"operation": each["metadata"].get(OPERATION)}
            for each in state.oldest("refunds")
        ],
        "disputes": [_dispute(state, each) for each in state.oldest("disputes")],
        "early_fraud_warnings": list(state.oldest("early_fraud_warnings")),
        "invoices": _invoices(state),
        "payouts": [_facts(state, each, "amount", "currency", "status") for each in state.oldest("payouts")],
        "balance_transactions": [_balance(each) for each in state.oldest("balance_transactions")],
        "totals": _totals(charges),
    }


def _facts(state: State, source: JsonObject, *names: str) -> JsonObject:
    origin = state.get("origins", source["id"]) or {}
    facts = {name: source[name] for name in ("id", "created", *names)}
    return facts | {"idempotency_key": origin.get("idempotency_key"), "metadata": source["metadata"]}


def _invoices(state: State) -> list[JsonObject]:
    """Return the facts of every invoice, with how often it was ``mailed``.

    One is ``doubled`` if its operation has made another, a draft included.
    """
    found = list(state.oldest("invoices"))
    made = Counter(each["metadata"].get(OPERATION) for each in found)
    mails = Counter(each["data"]["object"]["id"] for each in state.oldest("events") if each["type"] == "invoice.sent")
    facts = []
    for invoice in found:
        operation = invoice["metadata"].get(OPERATION)
        facts.append(
            _facts(state, invoice, *INVOICE)
            | {
                "operation": operation,
                "doubled": operation is not None and made[operation] > 1,
                "mailed": mails[invoice["id"]],
                "payments": _payments(state, invoice["id"]),
            }
        )
    return facts


def _payments(state: State, invoice: str) -> list[JsonObject]:
    held = state.get("payments_of_invoices", invoice) or {"payments": []}
    return [_payment(state, each) for each in reversed(held["payments"])]


def _payment(state: State, name: str) -> JsonObject:
    payment = state.get("invoice_payments", name) or {}
    intent = state.get("payment_intents", payment["payment"]["payment_intent"]) or {}
    made = {"payment_intent": intent["id"], "charge": intent["latest_charge"]}
    return {"id": name, **made, **{each: payment[each] for each in PAYMENT}}


def _paid_invoice(state: State, intent: str | None) -> str | None:
    """Return the invoice that an intent stands for, if it does: Stripe makes such intents by itself."""
    link = state.get("intent_invoices", intent) if intent is not None else None
    return link["invoice"] if link is not None else None


def _balance(transaction: JsonObject) -> JsonObject:
    return {
        name: transaction[name]
        for name in ("id", "source", "reporting_category", "amount", "fee", "currency", "created")
    }


def _dispute(state: State, dispute: JsonObject) -> JsonObject:
    facts = _facts(state, dispute, "amount", "currency", "status", "charge")
    return facts | {"submissions": dispute["evidence_details"]["submission_count"]}


def _charge(state: State, charge: JsonObject) -> JsonObject:
    names = ("amount", "amount_captured", "amount_refunded", "currency", "status", "captured", "paid", "refunded")
    facts = _facts(state, charge, *names, "payment_intent", "customer", "failure_code")
    released = charge["amount"] - charge["amount_captured"] if charge["captured"] else charge["amount_refunded"]
    given_back = charge["amount_refunded"] - released
    net = charge["amount_captured"] - given_back
    return facts | {
        "refunded_after_capture": given_back,
        "net": net,
        "operation": charge["metadata"].get(OPERATION),
        "invoice": _paid_invoice(state, charge["payment_intent"]),
    }


def _intent(state: State, intent: JsonObject) -> JsonObject:
    names = ("amount", "amount_received", "amount_capturable", "currency", "status", "customer", "latest_charge")
    return _facts(state, intent, *names) | {
        "operation": intent["metadata"].get(OPERATION),
        "invoice": _paid_invoice(state, intent["id"]),
    }


def _totals(charges: list[JsonObject]) -> JsonObject:
    totals: dict[str, dict[str, int]] = {}
    for charge in charges:
        if charge["status"] != "succeeded":
            continue
        total = totals.setdefault(charge["currency"], {"charges": 0, "captured": 0, "refunded": 0, "net": 0})
        total["charges"] += 1
        total["captured"] += charge["amount_captured"]
        total["refunded"] += charge["refunded_after_capture"]
        total["net"] += charge["net"]
    return totals
