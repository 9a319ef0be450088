"""Disputes: a card's holder has their bank take a charge back (https://docs.stripe.com/api/disputes)."""

from typing import Any, Final

from sandbox.simulator import balance_transactions
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, identifier
from sandbox.simulator.state import Change

LIST: Final[Spec] = LIST_PARAMS | {"charge": Param(identifier), "payment_intent": Param(identifier)}

RESPONSE_SECONDS: Final = 7 * 24 * 60 * 60  # how long there is to answer a dispute of a UK card
FRAUDULENT: Final = "10.4"  # Visa's code of fraud without the card being present
OUTCOMES: Final = ("won", "lost")
OPEN: Final = "needs_response"
NO_EVIDENCE: Final = (
    "access_activity_log",
    "appeal",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def begin(change: Change, charge: JsonObject) -> JsonObject:
    """Dispute a charge as fraudulent: Stripe withdraws its amount at once, and charges a fee."""
    dispute = _new(change, charge)
    withdrawn = balance_transactions.for_dispute(change, dispute)
    dispute["balance_transactions"] = [withdrawn]
    change.create("disputes", dispute)
    change.put("charges", charge | {"disputed": True})
    emit(change, "charge.dispute.created", dispute)
    emit(change, "charge.dispute.funds_withdrawn", dispute)
    return dispute


def close(change: Change, name: str, outcome: str) -> JsonObject:
    """Decide a dispute, as the bank does: a dispute that is won gives the amount back, but not the fee.

    Raises:
        ApiError: there is none, it is decided, or the outcome is neither `won` nor `lost`.
    """
    dispute = retrieve(change, name)
    if dispute["status"] != OPEN:
        raise invalid(f"This dispute is already closed: it is {dispute['status']}.")
    if outcome not in OUTCOMES:
        raise invalid(f"A dispute is {' or '.join(OUTCOMES)}, not {outcome!r}.")
    after = dispute | {"status": outcome}
    if outcome == "won":
        back = balance_transactions.for_won_dispute(change, dispute)
        after["balance_transactions"] = [*dispute["balance_transactions"], back]
    change.put("disputes", after)
    emit(change, "charge.dispute.closed", after, dispute)
    if outcome == "won":
        emit(change, "charge.dispute.funds_reinstated", after)
    return after


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one dispute.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("disputes", name)
    if known is None:
        raise missing_resource("dispute", name, param="id", status=NOT_FOUND)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List disputes, the newest first, of a charge or a PaymentIntent."""
    filters = {name: values[name] for name in ("charge", "payment_intent") if name in values}

    def matches(dispute: JsonObject) -> bool:
        return all(dispute[name] == wanted for name, wanted in filters.items())

    return page(change.state, "disputes", values, matches, url="/v1/disputes", noun="dispute")


def _new(change: Change, charge: JsonObject) -> JsonObject:
    brand = charge["payment_method_details"]["card"]["brand"]
    now = change.clock.now()
    return {
        "id": change.identifiers.new("dp"),
        "object": "dispute",
        "amount": charge["amount_captured"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(NO_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": brand,
                "case_type": "chargeback",
                "network": brand,
                "network_reason_code": FRAUDULENT,
            },
            "type": "card",
        },
        "reason": "fraudulent",
        "status": OPEN,
    }
