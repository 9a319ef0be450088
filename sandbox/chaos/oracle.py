"""The oracle: holds what clients were told against the simulator's ledger. It never looks into our database.

Orders and Stripe's objects are matched by the booking's reference, which the website chose.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.chaos.orders import WANTED_BACK, Order

REFERENCE = "booking_reference"
GIVEN_UP = frozenset({"dead", "refused"})  # job states that end a job without its payment, and say so
# The counts of a verdict of which each one is a promise broken, and how they are told.
BROKEN: Final[Mapping[str, str]] = {
    "lost": "lost",
    "double_charges": "charged twice",
    "double_refunds": "refunded twice",
    "double_invoices": "invoiced twice",
    "orphans": "orphans",
    "wrong_amounts": "with another amount than was asked",
    "false_failed": "falsely failed",
    "false_refused": "falsely refused",
    "number_gaps": "invoice numbers missing",
    "wrong_mails": "mailed once more or less than was asked",
    # Every trouble here ends, so that nothing that was accepted has a reason to be given up.
    "given_up": "accepted and given up",
}


@dataclass(slots=True)
class Verdict:
    """What the oracle found. Each count has its cases, in words, in `findings`."""

    accepted: int = 0
    invoices: int = 0
    unknown: int = 0
    lost: int = 0
    double_charges: int = 0
    double_refunds: int = 0
    double_invoices: int = 0
    orphans: int = 0
    wrong_amounts: int = 0
    false_failed: int = 0
    false_refused: int = 0
    number_gaps: int = 0
    wrong_mails: int = 0
    given_up: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not any(getattr(self, name) for name in BROKEN)


@dataclass(frozen=True, slots=True)
class LastView:
    """What the API said in the end of an accepted payment or invoice; None if it knows nothing of it."""

    status: str | None
    job: str | None


@dataclass(slots=True)
class _AtStripe:
    intents: list[Mapping[str, Any]] = field(default_factory=list)
    charges: list[Mapping[str, Any]] = field(default_factory=list)


def judge(
    orders: Sequence[Order],
    ledger: Mapping[str, Any],
    views: Mapping[str, LastView],
    invoiced: Collection[str] = (),
) -> Verdict:
    """Judge all payments of a system against all that is in its simulator's ledger; invoices are judged by themselves.

    Args:
        orders: every payment that any client has posted there.
        ledger: the simulator's money facts.
        views: what the API says of accepted orders in the end, by their references.
        invoiced: e-mail addresses for which invoices were asked.
    """
    verdict = Verdict(
        accepted=sum(order.accepted for order in orders),
        unknown=sum(order.unknown for order in orders),
    )
    facts = _by_reference(ledger)
    for order in orders:
        at_stripe = facts.pop(order.reference, _AtStripe())
        _judge_doubles(verdict, order, at_stripe)
        _judge_explained(verdict, order, at_stripe)
        if order.accepted:
            _judge_kept(verdict, order, at_stripe, views.get(order.reference, LastView(None, None)))
    for reference, strange in facts.items():
        count = len(strange.intents) + len(strange.charges)
        verdict.orphans += count
        verdict.findings.append(f"orphan: {count} objects at Stripe for {reference!r}, which nobody ordered")
    _judge_customers(verdict, orders, ledger["customers"], invoiced)
    _judge_refunds(verdict, orders, ledger)
    return verdict


def promised_end(intent: Mapping[str, Any], charges: Iterable[Mapping[str, Any]]) -> str:
    """Return what a payment must read in the end, given how it stands at Stripe."""
    if intent["status"] == "succeeded":
        refunded = sum(charge["refunded_after_capture"] for charge in charges)
        if refunded:
            return "refunded" if refunded >= intent["amount_received"] else "partially_refunded"
        return "paid"
    if intent["status"] == "requires_payment_method":
        return "declined" if any(charge["status"] == "failed" for charge in charges) else "requires_confirmation"
    return str(intent["status"])


def _by_reference(ledger: Mapping[str, Any]) -> dict[str, _AtStripe]:
    facts: dict[str, _AtStripe] = defaultdict(_AtStripe)
    reference_of: dict[str, str] = {}
    of_invoices: set[str] = set()  # Stripe's own, to pay an invoice by
    for intent in ledger["payment_intents"]:
        if intent["operation"] is None and intent["invoice"] is not None:
            of_invoices.add(intent["id"])
            continue
        reference_of[intent["id"]] = reference = str(intent["metadata"].get(REFERENCE))
        facts[reference].intents.append(intent)
    for charge in ledger["charges"]:
        if charge["payment_intent"] not in of_invoices:
            facts[reference_of.get(charge["payment_intent"], "None")].charges.append(charge)
    return dict(facts)


def _judge_doubles(verdict: Verdict, order: Order, at_stripe: _AtStripe) -> None:
    taken = [charge for charge in at_stripe.charges if charge["status"] == "succeeded"]
    found = []
    if len(at_stripe.intents) > 1:
        found.append(f"{len(at_stripe.intents)} PaymentIntents")
    if len(taken) > 1:
        found.append(f"{len(taken)} charges")
    if len(order.payment_ids) > 1 or len(order.job_ids) > 1:
        found.append(f"{len(order.payment_ids)} payments and {len(order.job_ids)} jobs for one key")
    if found:
        verdict.double_charges += 1
        verdict.findings.append(f"double: {order.reference} has {', '.join(found)}")


def _judge_explained(verdict: Verdict, order: Order, at_stripe: _AtStripe) -> None:
    """An order that was surely not accepted explains nothing, and no order explains another amount."""
    for intent in at_stripe.intents:
        if not order.accepted and not order.unknown:
            why = f"was told {dict(order.answers)}, never that it might have been accepted"
        elif (intent["amount"], intent["currency"]) != (order.body["amount"], order.body["currency"]):
            why = f"ordered {order.body['amount']} {order.body['currency']}"
        else:
            continue
        verdict.orphans += 1
        verdict.findings.append(
            f"orphan: {intent['id']} over {intent['amount']} {intent['currency']} for {order.reference}, which {why}"
        )


def _judge_kept(verdict: Verdict, order: Order, at_stripe: _AtStripe, view: LastView) -> None:
    if at_stripe.intents and view.status == "failed":
        verdict.false_failed += 1
        verdict.findings.append(f"false failed: {order.reference} has {at_stripe.intents[0]['id']} and reads failed")
        return
    if view.job in GIVEN_UP:
        verdict.given_up += 1
        verdict.findings.append(f"given up: {order.reference} ended {view.job}, its payment {view.status}")
        return
    if not at_stripe.intents:
        verdict.lost += 1
        verdict.findings.append(
            f"lost: {order.reference} was accepted and has no PaymentIntent; job {view.job}, payment {view.status}"
        )
        return
    taken = at_stripe.intents[0]["amount_received"]
    if at_stripe.intents[0]["status"] == "succeeded" and taken != order.takes:
        verdict.wrong_amounts += 1
        verdict.findings.append(f"wrong amount: {taken} was taken for {order.reference}, not {order.takes}")
    promised = promised_end(at_stripe.intents[0], at_stripe.charges)
    if view.status != promised:
        verdict.lost += 1
        verdict.findings.append(
            f"lost: {order.reference} is {promised} at Stripe and reads {view.status}; job {view.job}"
        )


def _judge_customers(
    verdict: Verdict, orders: Sequence[Order], customers: Iterable[Mapping[str, Any]], invoiced: Collection[str]
) -> None:
    known = {order.body["customer"]["email"] for order in orders if order.accepted or order.unknown}.union(invoiced)
    for customer in customers:
        if customer["email"] not in known:
            verdict.orphans += 1
            verdict.findings.append(f"orphan: customer {customer['id']} ordered nothing that was accepted")


def _judge_refunds(verdict: Verdict, orders: Sequence[Order], ledger: Mapping[str, Any]) -> None:
    """Hold each refund that was accepted against those that carry its operation, under any generation of its key."""
    # What the dashboard gave back carries no operation of ours.
    made = [refund for refund in ledger["refunds"] if refund["operation"] is not None]
    counts = Counter(refund["operation"].rpartition("/")[0] for refund in made)
    for operation, count in counts.items():
        if count > 1:
            verdict.double_refunds += 1
            verdict.findings.append(f"double: {operation} was refunded {count} times")
    for order in orders:
        if len(order.refund_ids) > 1 or len(order.refund_job_ids) > 1:
            verdict.double_refunds += 1
            verdict.findings.append(f"double: {order.reference} has {len(order.refund_ids)} refunds for one key")
    known = {operation.partition("/")[0] for operation in counts}
    for order in orders:
        missing = order.refund_ids - known
        if missing:
            verdict.lost += 1
            verdict.findings.append(f"lost: the refund {min(missing)} of {order.reference} was accepted and not made")
    wanted = {order.reference for order in orders if order.fate in WANTED_BACK}
    references = {intent["id"]: intent["metadata"].get(REFERENCE) for intent in ledger["payment_intents"]}
    for refund in made:
        if references.get(refund["payment_intent"]) not in wanted:
            verdict.orphans += 1
            verdict.findings.append(f"orphan: {refund['id']} gives back what nobody asked to give back")
