"""Payment operations: asked for by POST /v1/payments/{id}/capture, …/cancel and /v1/payments/{id} itself.

Whether the payment exists, whose it is, and whether it can be changed, only the workers know: the job tells.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, ValidationError, validates_schema

from config.currencies import MAXIMUM_AMOUNT
from ingress.commands import keep, read_command
from ingress.door import Door
from ingress.fields import Complaint, MinorUnits, OneOf, StrictSchema, Text
from ingress.payment_intents import MAXIMUM_METADATA, Metadata
from ingress.reads import is_id, no_such
from ingress.views import Unseen, glimpse
from tasks.contracts.job import Contract
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.views import PaymentView

# https://docs.stripe.com/api/payment_intents/cancel
CANCEL_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")


class CaptureSchema(StrictSchema):
    """What a capture may ask for; all that is held is taken if it names no amount."""

    amount = MinorUnits(
        MAXIMUM_AMOUNT,
        metadata={
            "description": "Minor units (pence); left out: all that is held. The rest is released.",
            "example": 1500,
        },
    )


class CancelSchema(StrictSchema):
    """What a cancellation may ask for."""

    reason = OneOf(CANCEL_REASONS, "reason_unknown", metadata={"example": "abandoned"})


class UpdateSchema(StrictSchema):
    """What of a payment may be changed; what is left out stays."""

    amount = MinorUnits(MAXIMUM_AMOUNT, metadata={"description": "Minor units (pence)", "example": 3950})
    description = Text(1, 500, metadata={"example": "First aid at work, 19 March"})
    metadata = Metadata(
        metadata={
            "maxProperties": MAXIMUM_METADATA,
            "description": "Merged by name; an empty text takes its name away",
            "example": {"course": "first-aid"},
        }
    )

    @validates_schema
    def _something_is_changed(self, data: dict[str, Any], **_options: object) -> None:
        if not data:
            raise ValidationError([Complaint("nothing_asked", "Name an amount, a description or metadata.")])


CAPTURE, CANCEL, UPDATE = CaptureSchema(), CancelSchema(), UpdateSchema()


def payment_operations(door: Door) -> Blueprint:
    """Return the routes of payment operations."""
    routes = Blueprint("payment_operations", __name__)

    @routes.post("/v1/payments/<payment_id>/capture")
    def capture_payment(payment_id: str) -> Response:
        return operate(door, payment_id, "capture", CAPTURE, _capture)

    @routes.post("/v1/payments/<payment_id>/cancel")
    def cancel_payment(payment_id: str) -> Response:
        return operate(door, payment_id, "cancel", CANCEL, _cancel)

    @routes.post("/v1/payments/<payment_id>")
    def update_payment(payment_id: str) -> Response:
        return operate(door, payment_id, "update", UPDATE, _update)

    return routes


def operate(
    door: Door,
    payment_id: str,
    verb: str,
    schema: Schema,
    contract: Callable[[str, dict[str, Any], bool], Contract],
    *,
    lines: bool = False,
) -> Response:
    """Accept what is asked to be done with a payment.

    Args:
        door: what the process holds.
        payment_id: as it was asked for.
        verb: what is done; it stands in the address.
        schema: of the body.
        contract: makes the job of the payment's id, the body, and whether the client could read the payment.
        lines: whether the body's texts may have several lines.

    Raises:
        ProblemError: the id is none, or the request is not acceptable.
        RedisAwayError: as `keep` does.
    """
    if not is_id(PaymentView, payment_id):
        door.api_keys.authenticate(request)
        raise no_such(PaymentView)
    # Each payment has keys of its own, and each operation, too.
    command = read_command(door, f"payments/{payment_id}/{verb}", schema, lines=lines)
    shown = glimpse(door, PaymentView, payment_id, command.client.client_id) is not None
    return keep(door, command, contract(payment_id, command.asked, shown), Unseen(payment_id))


def _capture(payment_id: str, asked: dict[str, Any], shown: bool) -> Contract:  # noqa: FBT001 - as the table calls it
    return CapturePayment(payment_id, asked.get("amount"), shown)


def _cancel(payment_id: str, asked: dict[str, Any], shown: bool) -> Contract:  # noqa: FBT001 - as above
    return CancelPayment(payment_id, asked.get("reason"), shown)


def _update(payment_id: str, asked: dict[str, Any], shown: bool) -> Contract:  # noqa: FBT001 - as above
    metadata = asked.get("metadata", {})
    return UpdatePayment(payment_id, asked.get("amount"), asked.get("description"), metadata, shown)
