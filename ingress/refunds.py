"""Refunds: asked for by POST /v1/payments/{id}/refunds, read at GET /v1/refunds/{id}."""

from typing import Any

from flask import Blueprint, Response, request

from config.currencies import MAXIMUM_AMOUNT
from ingress.answers import tagged_answer
from ingress.commands import Command, keep, read_command
from ingress.door import Door
from ingress.fields import MinorUnits, OneOf, StrictSchema
from ingress.payment_intents import MAXIMUM_METADATA, Metadata
from ingress.reads import find, is_id, no_such
from ingress.views import glimpse
from tasks.contracts import identity, representations
from tasks.contracts.refunds import CreateRefund
from tasks.contracts.views import PaymentView, RefundView

REASONS = ("duplicate", "fraudulent", "requested_by_customer")  # https://docs.stripe.com/api/refunds/create


class RefundRequestSchema(StrictSchema):
    """What a refund may ask for; all that is left is given back if it names no amount."""

    amount = MinorUnits(
        MAXIMUM_AMOUNT,
        metadata={"description": "Minor units (pence); left out: all that is left of the payment", "example": 1500},
    )
    reason = OneOf(REASONS, "reason_unknown", metadata={"example": "requested_by_customer"})
    metadata = Metadata(metadata={"maxProperties": MAXIMUM_METADATA, "example": {"ticket": "T-17"}})


SCHEMA = RefundRequestSchema()


def refunds(door: Door) -> Blueprint:
    """Return the routes of refunds."""
    routes = Blueprint("refunds", __name__)

    @routes.post("/v1/payments/<payment_id>/refunds")
    def create_refund(payment_id: str) -> Response:
        if not is_id(PaymentView, payment_id):
            door.api_keys.authenticate(request)
            raise no_such(PaymentView)
        # Each payment has keys of its own. Whether it exists, and whose it is, only the workers know.
        command = read_command(door, f"payments/{payment_id}/refunds", SCHEMA)
        shown = glimpse(door, PaymentView, payment_id, command.client.client_id)
        contract = refund_contract(door, command, payment_id, None if shown is None else shown.status)
        return keep(door, command, contract, _first(door, command, contract))

    @routes.get("/v1/refunds/<refund_id>")
    def show_refund(refund_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        view, tag = find(door, client, RefundView, refund_id)
        return tagged_answer(representations.refund(view), tag)

    return routes


def refund_contract(door: Door, command: Command, payment_id: str, shown: str | None) -> CreateRefund:
    """Return the job for what was asked; `shown` is the payment's status as the client can read it."""
    asked: dict[str, Any] = command.asked
    return CreateRefund(
        refund_id=identity.refund_id(door.settings.identity_key, command.client.client_id, command.route, command.key),
        payment_id=payment_id,
        amount=asked.get("amount"),
        reason=asked.get("reason"),
        metadata=asked.get("metadata", {}),
        shown=shown,
    )


def _first(door: Door, command: Command, contract: CreateRefund) -> RefundView:
    """Return the view of a refund that was accepted just now."""
    now = door.timestamp()
    return RefundView(
        id=contract.refund_id,
        client_id=command.client.client_id,
        payment_id=contract.payment_id,
        job_id=command.job_id,
        status="processing",
        amount=contract.amount or 0,
        currency=None,
        reason=contract.reason,
        failure_reason=None,
        stripe_refund=None,
        created_at=now,
        updated_at=now,
    )
