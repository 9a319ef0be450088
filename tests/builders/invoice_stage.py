"""A house and a simulator for tests of invoices: asking for one, hearing of it, and looking at both sides."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tests.builders.entries import event_entry, invoice_entry, payment_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from workers.jobs.run import Result

ROUNDS = 8
GOOD_CARD = "4242424242424242"


@dataclass(frozen=True)
class Asked:
    """An invoice that was asked for, and its job."""

    id: str
    job_id: str


@dataclass(frozen=True)
class Paid:
    """A payment that was made on the site, here and at Stripe, and whose."""

    id: str
    intent: str
    email: str


def asked(shop: House, **changes: Any) -> Asked:
    """Take an invoice in."""
    entry = invoice_entry(**changes)
    shop.take_in(entry)
    return Asked(entry.subject_id, entry.job_id)


def made(shop: House, **changes: Any) -> Asked:
    """Take an invoice in and make it."""
    invoice = asked(shop, **changes)
    assert shop.make_invoice(invoice.job_id).state == "done"
    return invoice


def run_until_over(shop: House, job_id: str) -> Result:
    run = shop.make_invoice if shop.job(job_id)["kind"] == "invoices.create" else shop.operate_invoice
    for _ in range(ROUNDS):
        result = run(job_id)
        if result.state not in {"waiting", "checking", "ready"}:
            return result
    raise AssertionError(f"the job does not end: {result}")


def at_stripe(stripe: Simulator, invoice: Asked) -> list[Any]:
    """Return all invoices at Stripe that were made for one of ours."""
    named = [each for each in stripe.listed("invoices") if each["metadata"].get("tollgate_invoice") == invoice.id]
    return [stripe.client.v1.invoices.retrieve(each["id"], {"expand": ["payments"]}) for each in named]


def hear(shop: House, *bodies: bytes) -> None:
    """Let events come in this order, then fetch what is in doubt."""
    for body in bodies:
        entry = event_entry(body)
        shop.take_in(entry)
        shop.handle(entry.job_id)
    settle(shop)


def settle(shop: House) -> None:
    for _ in range(ROUNDS):
        if not [*shop.refresh_invoices(), *shop.refresh_all()]:
            return
    raise AssertionError("refreshes never end")


def paid_on_site(shop: House, stripe: Simulator, **changes: Any) -> Paid:
    """Let a payment be made on the site and be heard of."""
    entry = payment_entry(**changes)
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    secret = shop.payment_view(entry.subject_id).client_secret
    assert secret is not None
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, GOOD_CARD).status == "succeeded"
    intent = secret.partition("_secret_")[0]
    hear(shop, *(body for _, body in stripe.events_of(intent)))
    assert shop.payment(entry.subject_id)["status"] == "paid"
    email = json.loads(shop.payload(entry.job_id))["customer_email"]
    return Paid(entry.subject_id, intent, email)


def pay_by_card(stripe: Simulator, invoice: Asked) -> str:
    """Pay an invoice as its customer does on Stripe's page; return the PaymentIntent's id."""
    [found] = at_stripe(stripe, invoice)
    stripe.client.v1.invoices.pay(found.id, {"payment_method": "pm_card_visa"})
    [paid] = at_stripe(stripe, invoice)
    [intent] = [each.payment.payment_intent for each in paid.payments.data if each.status == "paid"]
    return str(intent)
