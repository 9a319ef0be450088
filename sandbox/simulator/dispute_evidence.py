"""The evidence of a dispute: what may be sent, how much of it, and putting it onto the dispute.

Text alone is taken. Stripe's files (https://docs.stripe.com/api/files) are not played here: there is none that a field
for a file could name.
"""

from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid, missing_resource
from sandbox.simulator.params import Param, Raw, Spec, boolean, identifier, listing, mapping, metadata, text

MOST_TEXT: Final = 20_000  # characters of one field (https://docs.stripe.com/api/disputes/update)
MOST_TOGETHER: Final = 150_000  # characters of all fields

TEXTS: Final = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_tracking_number",
    "uncategorized_text",
)
FILES: Final = (
    "cancellation_policy",
    "customer_communication",
    "customer_signature",
    "duplicate_charge_documentation",
    "receipt",
    "refund_policy",
    "service_documentation",
    "shipping_documentation",
    "uncategorized_file",
)


def _file(name: str, raw: Raw) -> str | None:
    given = text()(name, raw)
    if given is not None:
        raise missing_resource("file upload", given, param=name)
    return None


EVIDENCE: Final[Spec] = {name: Param(text(MOST_TEXT)) for name in TEXTS} | {name: Param(_file) for name in FILES}
UPDATE: Final[Spec] = {
    "evidence": Param(mapping(EVIDENCE)),
    "metadata": Param(metadata),
    "submit": Param(boolean),
    "expand": Param(listing(identifier)),
}


def with_evidence(dispute: JsonObject, given: dict[str, Any]) -> JsonObject:
    """Return a dispute with evidence staged on it; what is empty is taken off again.

    Raises:
        ApiError: it is more than Stripe takes.
    """
    evidence = dispute["evidence"] | given
    texts = [evidence[name] for name in TEXTS if evidence[name] is not None]
    if sum(map(len, texts)) > MOST_TOGETHER:
        raise invalid(
            f"The combined length of all evidence is limited to {MOST_TOGETHER} characters.", param="evidence"
        )
    details = dispute["evidence_details"] | {"has_evidence": bool(texts)}
    return dispute | {"evidence": evidence, "evidence_details": details}


def with_submission(dispute: JsonObject, now: int) -> JsonObject:
    """Return a dispute whose evidence has gone to the bank, whether in time or too late."""
    details = dispute["evidence_details"]
    return dispute | {
        "evidence_details": details
        | {
            "past_due": now > details["due_by"],
            "submission_count": details["submission_count"] + 1,
            "submission_method": "manual",
        }
    }
