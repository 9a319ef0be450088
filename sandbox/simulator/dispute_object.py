"""What a new dispute looks like (https://docs.stripe.com/api/disputes/object), and what networks call its reason."""

from typing import Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.dispute_evidence import FILES, TEXTS
from sandbox.simulator.state import Change

DAY_SECONDS: Final = 24 * 60 * 60
RESPONSE_DAYS: Final = 8  # whole days after that of the dispute; `due_by` is the last second of the last of them
INQUIRY: Final = "inquiry"
CHARGEBACK: Final = "chargeback"
NEEDS_RESPONSE: Final = {INQUIRY: "warning_needs_response", CHARGEBACK: "needs_response"}
# Visa's and Mastercard's codes (https://docs.stripe.com/disputes/categories#network-code-map); a reason without one has
# no code here.
NETWORK_CODES: Final = {
    "visa": {
        "credit_not_processed": "13.6",
        "duplicate": "12.6.1",
        "fraudulent": "10.4",
        "general": "10.5",
        "product_not_received": "13.1",
        "product_unacceptable": "13.3",
        "subscription_canceled": "13.2",
        "unrecognized": "10.4",
    },
    "mastercard": {
        "credit_not_processed": "4853",
        "duplicate": "4834",
        "fraudulent": "4837",
        "general": "4853",
        "product_not_received": "4853",
        "product_unacceptable": "4853",
        "subscription_canceled": "4853",
        "unrecognized": "4837",
    },
}
REASONS: Final = tuple(NETWORK_CODES["visa"])
INQUIRY_CODE: Final = "10"  # of Visa's fraud inquiry, as Stripe's test card for one has it


def new_dispute(change: Change, charge: JsonObject, amount: int, reason: str, case_type: str) -> JsonObject:
    """Return a dispute of a charge that nobody has answered, before any money has moved."""
    now = change.clock.now()
    return {
        "id": change.identifiers.new("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(("appeal", *TEXTS, *FILES)) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": (now // DAY_SECONDS + RESPONSE_DAYS + 1) * DAY_SECONDS - 1,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": case_type == INQUIRY,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": card_details(charge, reason, case_type), "type": "card"},
        "reason": reason,
        "status": NEEDS_RESPONSE[case_type],
    }


def card_details(charge: JsonObject, reason: str, case_type: str) -> JsonObject:
    """Return what a dispute says of its card: the network, the kind of case and the network's code of the reason."""
    brand = charge["payment_method_details"]["card"]["brand"]
    code = INQUIRY_CODE if case_type == INQUIRY else NETWORK_CODES.get(brand, {}).get(reason)
    return {"brand": brand, "case_type": case_type, "network": brand, "network_reason_code": code}
