"""The life of an order of invoices: posted, taken further by the website, and paid by its customer on Stripe's page."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Final

from sandbox.chaos.invoice_orders import DRAFTS, Invoice, InvoiceFate, InvoiceOrder
from sandbox.chaos.life import REPEAT_SECONDS, Life, World, live, pauses, post, see_through, until_accepted
from sandbox.chaos.orders import ACCEPTED
from sandbox.demo.fates import GOOD_CARD
from sandbox.simulator_control import SimulatorControlError

# What the website asks for afterwards.
VERBS: Final[Mapping[InvoiceFate, str]] = {
    "is finalized later": "finalize",
    "is sent later": "send",
    "is voided": "void",
}


def live_invoices(world: World, order: InvoiceOrder) -> Life:
    """Post until accepted, let each invoice be made, do as its fate has it, and wait for the promised end."""
    if order.payment is not None:
        yield from live(world, order.payment)
        if order.payment.ended_at is None:
            return  # nobody makes an invoice for a payment that is not there
        order.invoices[0].body["payment"] = order.payment.payment_id
    yield from post(world, order, lambda: world.website.post_invoices(order))
    if not order.accepted:
        return
    if order.batch_id is not None:
        yield from _wait_until_begun(world, order.batch_id)
    for invoice in order.wanted:
        if invoice.invoice_ids:
            yield from _live_one(world, order, invoice)
    order.ended_at = world.clock()


def _wait_until_begun(world: World, batch_id: str) -> Life:
    """Read a batch until all of its invoices are more than accepted: from then on each can be read by itself."""
    for pause in pauses():
        yield pause
        view = world.website.batch(batch_id)
        if view is not None and ACCEPTED not in view["statuses"]:
            return


def _live_one(world: World, order: InvoiceOrder, invoice: Invoice) -> Life:
    verb = VERBS.get(invoice.fate)
    if verb is not None:
        begun = "draft" if invoice.fate in DRAFTS else "sent"
        yield from _wait_for(world, invoice, lambda: invoice.status == begun)
        yield from _operate(world, order, invoice, verb)
    if invoice.fate == "is paid":
        yield from _wait_for(world, invoice, lambda: invoice.status == "sent")
        yield from _pay(world, order, invoice)
    yield from _wait_for(world, invoice, lambda: invoice.status == invoice.end)


def _wait_for(world: World, invoice: Invoice, there: Callable[[], bool]) -> Life:
    for pause in pauses():
        yield pause
        view = world.website.invoice(invoice.invoice_id)
        if view is not None:
            invoice.status, invoice.stripe_id = view["status"], view["stripe_invoice"] or invoice.stripe_id
            if there():
                return


def _operate(world: World, order: InvoiceOrder, invoice: Invoice, verb: str) -> Life:
    yield from until_accepted(order, verb, lambda: world.website.operate_invoice(order, invoice, verb))
    if invoice.operation_id is not None:
        yield from see_through(world, order, verb, invoice.operation_id)


def _pay(world: World, order: InvoiceOrder, invoice: Invoice) -> Life:
    """Pay by card on the invoice's page; after an answer that was lost, a second try finds it paid."""
    yield 0.0
    while True:
        try:
            paid = world.simulator.pay_invoice(str(invoice.stripe_id), GOOD_CARD)
        except SimulatorControlError as error:
            if "already paid" not in str(error):
                order.problem = f"{invoice.reference} could not be paid: {error}"
            return
        except (OSError, ValueError, http.client.HTTPException):  # ValueError: an answer that was cut short is no JSON
            yield REPEAT_SECONDS
        else:
            if paid["status"] != "paid":
                order.problem = f"{invoice.reference} was paid and is {paid['status']} at Stripe"
            return
