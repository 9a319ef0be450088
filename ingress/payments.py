"""Payments: asked for by POST /v1/payment-intents, read at GET /v1/payments/{id}."""

from flask import Blueprint, Response, request

from ingress.answers import tagged_answer
from ingress.commands import Command, keep, read_command
from ingress.door import Door
from ingress.payment_intents import PaymentIntentSchema, payment_contract
from ingress.reads import find
from tasks.contracts import identity, representations
from tasks.contracts.payments import CreatePayment
from tasks.contracts.views import PaymentView, seat_hold

ROUTE = "payment-intents"


def payments(door: Door) -> Blueprint:
    """Return the routes of payments."""
    routes = Blueprint("payments", __name__)
    schema = PaymentIntentSchema(door.settings.currencies)

    @routes.post("/v1/payment-intents")
    def create_payment_intent() -> Response:
        command = read_command(door, ROUTE, schema)
        payment_id = identity.payment_id(
            door.settings.identity_key, command.client.client_id, command.route, command.key
        )
        contract = payment_contract(payment_id, command.asked)
        return keep(door, command, contract, _first(door, command, contract))

    @routes.get("/v1/payments/<payment_id>")
    def show_payment(payment_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        view, tag = find(door, client, PaymentView, payment_id)
        return tagged_answer(representations.payment(view), tag)

    return routes


def _first(door: Door, command: Command, contract: CreatePayment) -> PaymentView:
    """Return the view of a payment that was accepted just now."""
    now = door.timestamp()
    return PaymentView(
        id=contract.payment_id,
        client_id=command.client.client_id,
        job_id=command.job_id,
        status="processing",
        amount=contract.amount,
        amount_received=0,
        amount_refunded=0,
        currency=contract.currency,
        capture=contract.capture_method,
        seat_hold=seat_hold(contract.hold_token, contract.hold_expires_at, contract.hold_late),
        booking_reference=contract.booking_reference,
        stripe_payment_intent=None,
        client_secret=None,
        decline=None,
        created_at=now,
        updated_at=now,
    )
