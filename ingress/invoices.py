"""Invoices: asked for by POST /v1/invoices, read at GET /v1/invoices/{id}, changed by POST /v1/invoices/{id}/….

Whether an invoice exists, whose it is, and whether it can be changed, only the workers know: the job tells.
"""

from collections.abc import Mapping
from functools import partial

from flask import Blueprint, Response, request

from ingress.answers import tagged_answer
from ingress.commands import keep, read_command
from ingress.door import Door
from ingress.fields import StrictSchema
from ingress.invoice_schema import InvoiceSchema, invoice_contract
from ingress.reads import find, is_id, no_such
from ingress.views import Unseen, glimpse
from tasks.contracts import identity, representations
from tasks.contracts.accepted_invoice import accepted_invoice
from tasks.contracts.invoice_operations import (
    FinalizeInvoice,
    InvoiceOperation,
    MarkInvoiceUncollectible,
    PayInvoiceOutOfBand,
    SendInvoice,
    VoidInvoice,
)
from tasks.contracts.views import InvoiceView, PaymentView

ROUTE = "invoices"


class InvoiceOperationSchema(StrictSchema):
    """What an operation on an invoice may ask for: nothing besides itself."""


OPERATION = InvoiceOperationSchema()
OPERATIONS: Mapping[str, type[InvoiceOperation]] = {
    "finalize": FinalizeInvoice,
    "send": SendInvoice,
    "void": VoidInvoice,
    "mark_uncollectible": MarkInvoiceUncollectible,
    "pay_out_of_band": PayInvoiceOutOfBand,
}


def invoices(door: Door) -> Blueprint:
    """Return the routes of invoices."""
    routes = Blueprint("invoices", __name__)
    schema = InvoiceSchema(door.settings.currencies)

    @routes.post("/v1/invoices")
    def create_invoice() -> Response:
        command = read_command(door, ROUTE, schema)
        client = command.client.client_id
        invoice_id = identity.invoice_id(door.settings.identity_key, client, command.route, command.key)
        payment = command.asked.get("payment")
        shown = None if payment is None else glimpse(door, PaymentView, payment, client)
        contract = invoice_contract(invoice_id, command.asked, None if shown is None else shown.status)
        first = accepted_invoice(contract, client_id=client, job_id=command.job_id, at=door.timestamp())
        return keep(door, command, contract, first)

    @routes.get("/v1/invoices/<invoice_id>")
    def show_invoice(invoice_id: str) -> Response:
        client = door.api_keys.authenticate(request)
        view, tag = find(door, client, InvoiceView, invoice_id)
        return tagged_answer(representations.invoice(view), tag)

    for verb, contract in OPERATIONS.items():
        routes.add_url_rule(
            f"/v1/invoices/<invoice_id>/{verb}", verb, partial(_operate, door, verb, contract), methods=["POST"]
        )

    return routes


def _operate(door: Door, verb: str, contract: type[InvoiceOperation], invoice_id: str) -> Response:
    if not is_id(InvoiceView, invoice_id):
        door.api_keys.authenticate(request)
        raise no_such(InvoiceView)
    # Each invoice has keys of its own, and each operation, too.
    command = read_command(door, f"invoices/{invoice_id}/{verb}", OPERATION)
    shown = glimpse(door, InvoiceView, invoice_id, command.client.client_id) is not None
    return keep(door, command, contract(invoice_id, shown), Unseen(invoice_id, "invoice"))
