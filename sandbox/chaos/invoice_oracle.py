"""The oracle of invoices: holds what clients were told against the invoices in the simulator's ledger.

They are matched by the booking's reference, which the website chose for each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sandbox.chaos.invoice_orders import Invoice, InvoiceOrder
from sandbox.chaos.oracle import REFERENCE, LastView, Verdict

Fact = Mapping[str, Any]
# What an invoice is at Stripe that reads as it should here: Stripe has no word for one that was mailed.
AT_STRIPE: Final = {"sent": "open"}


def emails(orders: Sequence[InvoiceOrder]) -> set[str]:
    """Return whom invoices may have been made for."""
    return {
        each.body["customer"]["email"] for order in orders if order.accepted or order.unknown for each in order.invoices
    }


def judge_invoices(
    verdict: Verdict, orders: Sequence[InvoiceOrder], ledger: Mapping[str, Any], views: Mapping[str, LastView]
) -> None:
    """Judge all invoices of a system against those in its simulator's ledger, and add to the verdict.

    Args:
        verdict: that of the payments.
        orders: every invoice, and batch of them, that any client has posted there.
        ledger: the simulator's money facts.
        views: what the API says of accepted invoices in the end, by their references.
    """
    made: dict[str, list[Fact]] = defaultdict(list)
    for fact in ledger["invoices"]:
        made[str(fact["metadata"].get(REFERENCE))].append(fact)
    for order in orders:
        verdict.unknown += order.unknown
        for invoice in order.invoices:
            at_stripe = made.pop(invoice.reference, [])
            _judge_doubles(verdict, order, invoice, at_stripe)
            _judge_explained(verdict, order, invoice, at_stripe)
            _judge_totals(verdict, order, invoice, at_stripe)
            _judge_mails(verdict, order, invoice, at_stripe)
            if order.accepted and invoice.acceptable:
                verdict.invoices += 1
                view = views.get(invoice.reference, LastView(None, None))
                _judge_kept(verdict, order, invoice, at_stripe, view, ledger["charges"])
    for reference, strange in made.items():
        _orphan(verdict, strange, f"{reference!r}, which nobody asked for")
    _judge_numbers(verdict, ledger["invoices"])


def _judge_doubles(verdict: Verdict, order: InvoiceOrder, invoice: Invoice, at_stripe: Sequence[Fact]) -> None:
    found = []
    if len(at_stripe) > 1 or any(fact["doubled"] for fact in at_stripe):
        found.append(f"{len(at_stripe)} invoices at Stripe")
    if len(invoice.invoice_ids) > 1 or len(order.job_ids) > 1:
        found.append(f"{len(invoice.invoice_ids)} invoices and {len(order.job_ids)} jobs for one key")
    if found:
        verdict.double_invoices += 1
        verdict.findings.append(f"double: {invoice.reference} has {', '.join(found)}")


def _judge_explained(verdict: Verdict, order: InvoiceOrder, invoice: Invoice, at_stripe: Sequence[Fact]) -> None:
    """What was surely not accepted explains nothing."""
    if not invoice.acceptable:
        _orphan(verdict, at_stripe, f"{invoice.reference}, which had to be refused")
        if invoice.invoice_ids:
            verdict.findings.append(f"orphan: {invoice.reference} was accepted, and had to be refused")
            verdict.orphans += 1
    elif not order.accepted and not order.unknown:
        _orphan(verdict, at_stripe, f"{invoice.reference}, which was told {dict(order.answers)}")


def _judge_totals(verdict: Verdict, order: InvoiceOrder, invoice: Invoice, at_stripe: Sequence[Fact]) -> None:
    """Also what may have run without its client's knowing has the total that was asked for."""
    if not invoice.acceptable or not (order.accepted or order.unknown):
        return
    for fact in at_stripe:
        if (fact["total"], fact["currency"]) != (invoice.total, invoice.body["currency"]):
            verdict.wrong_amounts += 1
            verdict.findings.append(f"wrong total: {invoice.reference} is over {fact['total']} and not {invoice.total}")


def _judge_mails(verdict: Verdict, order: InvoiceOrder, invoice: Invoice, at_stripe: Sequence[Fact]) -> None:
    """What may have run without its client's knowing may stand anywhere on its way to its mail."""
    if not invoice.acceptable or not at_stripe or not (order.accepted or order.unknown):
        return
    mailed = sum(fact["mailed"] for fact in at_stripe)
    if mailed > invoice.mails or (order.accepted and mailed < invoice.mails):
        verdict.wrong_mails += 1
        verdict.findings.append(f"mails: {invoice.reference} was mailed {mailed} times, and not {invoice.mails}")


def _orphan(verdict: Verdict, at_stripe: Sequence[Fact], why: str) -> None:
    verdict.orphans += len(at_stripe)
    verdict.findings += [f"orphan: invoice {fact['id']} over {fact['total']} for {why}" for fact in at_stripe]


def _judge_kept(
    verdict: Verdict,
    order: InvoiceOrder,
    invoice: Invoice,
    at_stripe: Sequence[Fact],
    view: LastView,
    charges: Iterable[Fact],
) -> None:
    name = invoice.reference
    if not invoice.invoice_ids or "refused" in {view.status, view.job}:
        verdict.false_refused += 1
        verdict.findings.append(f"false refused: {name} reads {view.status}, job {view.job}")
        return
    if view.job == "dead":
        verdict.given_up += 1
        verdict.findings.append(f"given up: {name} ended dead, and reads {view.status}")
        return
    if not at_stripe:
        verdict.lost += 1
        verdict.findings.append(f"lost: {name} was accepted and is no invoice at Stripe; it reads {view.status}")
        return
    [fact, *_] = at_stripe
    operation = str(fact["operation"]).partition("/")[0]
    if operation not in invoice.invoice_ids:
        verdict.orphans += 1
        verdict.findings.append(f"orphan: {fact['id']} was made by {operation}, and {name} is {invoice.invoice_id}")
    if fact["status"] != AT_STRIPE.get(invoice.end, invoice.end) or view.status != invoice.end:
        verdict.lost += 1
        verdict.findings.append(
            f"lost: {name} is {fact['status']} at Stripe and reads {view.status}, but must become {invoice.end}"
        )
    if (fact["number"] is None) != (invoice.end == "draft"):
        verdict.number_gaps += 1
        verdict.findings.append(f"number: {name} must become {invoice.end}, and its number is {fact['number']}")
    if invoice.end == "paid":
        _judge_paid(verdict, order, invoice, fact, charges)
    elif taken := _taken(fact, charges):
        verdict.wrong_amounts += 1
        verdict.findings.append(
            f"wrong amount: {name} must become {invoice.end}, and {sorted(taken)} took money for it"
        )


def _judge_paid(verdict: Verdict, order: InvoiceOrder, invoice: Invoice, fact: Fact, charges: Iterable[Fact]) -> None:
    """The whole total was paid, once: on the invoice's page, or before on the site."""
    of_it = _taken(fact, charges)
    if len(of_it) > 1:
        verdict.double_charges += 1
        verdict.findings.append(f"double: {invoice.reference} was paid by {len(of_it)} charges")
    if order.payment is not None:
        intent = (order.payment.secret or "").partition("_secret_")[0]
        of_it = {each["charge"] for each in fact["payments"] if each["payment_intent"] == intent}
    settled = {each["charge"] for each in fact["payments"] if each["status"] == "paid"}
    if fact["amount_paid"] != invoice.total or not settled or not settled <= of_it:
        verdict.wrong_amounts += 1
        verdict.findings.append(
            f"wrong amount: {invoice.reference} is paid with {fact['amount_paid']} of {invoice.total}, "
            f"by {sorted(map(str, settled))}"
        )


def _taken(fact: Fact, charges: Iterable[Fact]) -> set[str]:
    """Return the charges that took money for an invoice."""
    return {each["id"] for each in charges if each["invoice"] == fact["id"] and each["status"] == "succeeded"}


def _judge_numbers(verdict: Verdict, invoices: Iterable[Fact]) -> None:
    """Numbers begin with 1 for each prefix, and none is missing or there twice; a draft has none."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for fact in invoices:
        if fact["number"] is not None:
            prefix, _, number = fact["number"].rpartition("-")
            numbers[prefix].append(int(number))
    for prefix, found in numbers.items():
        missing = set(range(1, len(found) + 1)) - set(found)
        verdict.number_gaps += len(missing)
        verdict.findings += [f"gap: there is no invoice {prefix}-{number:04d}" for number in sorted(missing)]
