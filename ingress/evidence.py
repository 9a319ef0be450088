"""Evidence: posted to POST /v1/payments/{id}/evidence long before any dispute, and kept for it."""

from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError, validates_schema

from config.evidence import MOST_TEXT
from ingress.door import Door
from ingress.fields import FIT, FIT_LINES, Complaint, Day, Email, IpAddress, StrictSchema, Text
from ingress.payment_intents import IP_FORMATS
from ingress.payment_operations import operate
from tasks.contracts.evidence import KeepEvidence
from tasks.contracts.job import Contract

LINES = "text, with tabs and line feeds"
ONE_LINE = "text on one line"  # the body may hold line feeds, but not everywhere


def _told(description: str, example: str) -> Text:
    """Return a field for a text of several lines."""
    return Text(
        1, MOST_TEXT, pattern=FIT_LINES, allowed=LINES, metadata={"description": description, "example": example}
    )


class EvidenceSchema(StrictSchema):
    """What shows that a payment was rightful, by Stripe's fields (https://docs.stripe.com/api/disputes/evidence_object).

    Name one or several. `access_activity_log` and `uncategorized_text` grow with every post; of the others the newest
    counts. Every piece is kept.
    """

    access_activity_log = _told(
        "That the customer used what they paid for, such as logins and attendance, a line each. Appended",
        "2026-03-12 09:02 signed in to the course room\n2026-03-12 16:55 passed the test",
    )
    billing_address = _told("The customer's billing address", "12 St James's Square, London SW1Y 4JH")
    cancellation_policy_disclosure = _told(
        "How and when the customer was shown the terms of cancellation", "Ticked on the booking page, 1 March 2026"
    )
    cancellation_rebuttal = _told("Why the booking was not cancelled, or not in time", "Cancelled after the course")
    customer_email_address = Email(metadata={"description": "The customer's e-mail address"})
    customer_name = Text(
        1,
        200,
        pattern=FIT,
        allowed=ONE_LINE,
        metadata={"description": "The customer's name", "example": "Ada Lovelace"},
    )
    customer_purchase_ip = IpAddress(
        metadata={"description": "IPv4 or IPv6", "example": "203.0.113.7", "anyOf": IP_FORMATS}
    )
    duplicate_charge_explanation = _told(
        "Why this is no second charge for the same thing", "Two places, booked one after the other"
    )
    product_description = _told("What was sold", "First aid at work, three days, London, 12 to 14 March 2026")
    refund_policy_disclosure = _told(
        "How and when the customer was shown the terms of refunds", "Ticked on the booking page, 1 March 2026"
    )
    refund_refusal_explanation = _told("Why the customer is not entitled to a refund", "Asked for after the course")
    service_date = Day(metadata={"format": "date", "description": "The day of the course, or its first"})
    uncategorized_text = _told(
        "Anything else, such as what was written to the customer. Appended",
        "1 March 2026, e-mail: your place on First aid at work is booked",
    )

    @validates_schema
    def _something_is_told(self, data: dict[str, Any], **_options: object) -> None:
        if not data:
            raise ValidationError([Complaint("nothing_asked", "Name one field of evidence, or several.")])


SCHEMA = EvidenceSchema()


def evidence(door: Door) -> Blueprint:
    """Return the route of evidence."""
    routes = Blueprint("evidence", __name__)

    @routes.post("/v1/payments/<payment_id>/evidence")
    def keep_evidence(payment_id: str) -> Response:
        return operate(door, payment_id, "evidence", SCHEMA, _keep, lines=True)

    return routes


def _keep(payment_id: str, asked: dict[str, Any], shown: bool) -> Contract:  # noqa: FBT001 - as `operate` calls it
    return KeepEvidence(payment_id, asked, shown)
