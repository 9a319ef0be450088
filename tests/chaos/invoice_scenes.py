"""Scenes of invoices: made step by step, found again, issued as paid, closed."""

from __future__ import annotations

from tasks.contracts.steps import Step
from tests.chaos.case import Case, Scene, paid_at_stripe, worker_case
from tests.chaos.oracle import unsettled_invoice
from tests.chaos.stage import Posted, Stage


def _invoiced(stage: Stage, posted: Posted, invoice_id: str, status: str, payment_status: str) -> Case:
    case = worker_case(stage, posted, "invoices", payment_status)
    payment = case.wrong
    case.wrong = lambda: [*payment(), *unsettled_invoice(stage, invoice_id, status)]
    return case


def invoicing(stage: Stage) -> Case:
    """An invoice is made, step by step, and mailed."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "sent", "requires_confirmation")


def looking_for_an_invoice(stage: Stage) -> Case:
    """The answer to an invoice's first step was lost: the next attempt looks before it asks."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    stage.stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/invoices$"}})
    stage.work("invoices")
    stage.come_again()
    return _invoiced(stage, posted, invoice_id, "sent", "requires_confirmation")


def invoicing_a_payment(stage: Stage) -> Case:
    """The shopper has paid on the site, and gets an invoice that is issued as paid."""
    posted, events = paid_at_stripe(stage)
    stage.learn(events)
    customer, amount = posted.document["customer"], posted.document["amount"]
    line = {"description": "First aid at work", "unit_amount": amount, "tax": "exempt"}
    _, invoice_id = stage.invoice(posted.key, customer=customer, lines=[line], payment=posted.payment_id)
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "paid", "paid")


def closing_an_invoice(stage: Stage) -> Case:
    """An invoice is taken back."""
    posted = stage.posted_and_done()
    _, invoice_id = stage.invoice(posted.key)
    stage.take_in()
    stage.work("invoices")
    answer = stage.site.operate_invoice(invoice_id, "void", key=f"void {posted.key}")
    assert answer.status_code == 202, answer.json
    stage.take_in()
    return _invoiced(stage, posted, invoice_id, "void", "requires_confirmation")


SCENES = (
    Scene(
        "invoicing",
        (
            Step.INTENT,
            Step.MAKE_CUSTOMER,
            Step.MAKE_INVOICE,
            Step.INVOICE_STEP,
            Step.ADD_LINES,
            Step.FINALIZE_INVOICE,
            Step.SEND_INVOICE,
            Step.OUTCOME,
            Step.VIEWS,
        ),
        invoicing,
    ),
    Scene("looking for an invoice", (Step.LOOK_UP, Step.INVOICE_STEP, Step.OUTCOME), looking_for_an_invoice),
    Scene("invoicing a payment", (Step.INTENT, Step.SETTLE_INVOICE, Step.OUTCOME), invoicing_a_payment),
    Scene("closing an invoice", (Step.INTENT, Step.CLOSE_INVOICE, Step.OUTCOME), closing_an_invoice),
)
