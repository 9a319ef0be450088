"""The steps by which an invoice is made at Stripe: which comes next, and asking for it.

What Stripe shows of an invoice tells which of them are done: a draft, its lines, its number, its payment. Only whether
it was mailed, the invoice does not tell: that is known by the answer, or by Stripe's event.
"""

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from tasks.contracts.invoices import CreateInvoice
from workers.gateways.invoice_snapshots import InvoiceSnapshot
from workers.gateways.operations import operation_name, parse_operation
from workers.gateways.stripe_invoices import Draft
from workers.jobs.attempt import Attempt
from workers.services import customers
from workers.services.customers import KnownCustomer
from workers.services.heard import Heard, looked_up

CREATE: Final = "create"
ADD_LINES: Final = "add_lines"
FINALIZE: Final = "finalize"
ATTACH: Final = "attach_payment"
SEND: Final = "send"
ASTRAY: Final = "astray"
Verb = Literal["create", "add_lines", "finalize", "attach_payment", "send"]
# The day's noon: so it is the same day on the invoice in every time zone that prints it.
NOON: Final = dt.time(12, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Made(Heard[InvoiceSnapshot]):
    """An invoice at Stripe; `sent` if that call mailed it."""

    sent: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made.

    Args:
        stripe_id: the invoice's, if it is known.
        payment_intent_id: of the payment by which it is paid already, if it is.
        sent: whether it was mailed before.
    """

    request: CreateInvoice
    customer: KnownCustomer
    stripe_id: str | None
    payment_intent_id: str | None
    sent: bool


def next_step(plan: Plan, known: InvoiceSnapshot | None, *, sent: bool) -> Verb | Literal["astray"] | None:
    """Return what is to be asked next, None if all is done, or that the draft is not what was asked for."""
    request = plan.request
    if known is None:
        return CREATE
    if known.status == "draft":
        return _next_of_draft(request, known)
    if known.status != "open":
        return None
    if plan.payment_intent_id is not None:
        attached = {each.payment_intent_id for each in known.payments or ()}
        return None if plan.payment_intent_id in attached else ATTACH
    return SEND if request.send and not (sent or plan.sent) else None


def _next_of_draft(request: CreateInvoice, known: InvoiceSnapshot) -> Verb | Literal["astray"] | None:
    if not known.has_lines:
        return ADD_LINES
    if not is_as_asked(request, known):
        return ASTRAY
    return None if request.draft else FINALIZE


def is_as_asked(request: CreateInvoice, known: InvoiceSnapshot) -> bool:
    """Tell whether Stripe has come to our total and tax, to the penny."""
    total = request.total
    return (known.total, known.tax, known.currency) == (total.gross, total.tax, request.currency)


def ask(attempt: Attempt, plan: Plan, verb: Verb, stripe_name: str, generation: int) -> Made:
    """Ask for one step; raises StripeError as the gateway does.

    Args:
        attempt: asks.
        plan: what is to be made.
        verb: the step.
        stripe_name: Stripe's id of the customer for whom a draft is made, else of the invoice.
        generation: of the key.
    """
    request, invoices = plan.request, attempt.runtime.stripe.invoices
    operation = operation_name(request.invoice_id, verb, generation)
    attempt.before_call()
    match verb:
        case "create":
            answer = invoices.create(_draft(request, stripe_name), operation)
        case "add_lines":
            answer = invoices.add_lines(
                stripe_name,
                request.priced,
                currency=request.currency,
                inclusive=request.tax_inclusive,
                operation=operation,
            )
        case "finalize":
            answer = invoices.finalize(stripe_name, operation)
        case "attach_payment":
            answer = invoices.attach_payment(stripe_name, plan.payment_intent_id or "", operation)
        case "send":
            answer = invoices.send(stripe_name, operation)
    return Made(answer, "response", sent=verb == SEND)


def due_at(request: CreateInvoice) -> dt.datetime | None:
    """Return the moment that stands for the day on which an invoice is due, if it was asked for by the day (UTC)."""
    return None if request.due_date is None else dt.datetime.combine(dt.date.fromisoformat(request.due_date), NOON)


def _draft(request: CreateInvoice, stripe_customer: str) -> Draft:
    booking = {} if request.booking_reference is None else {"booking_reference": request.booking_reference}
    return Draft(
        customer_id=stripe_customer,
        currency=request.currency,
        due_at=due_at(request),
        days_until_due=request.days_until_due,
        purchase_order=request.purchase_order,
        memo=request.memo,
        footer=request.footer,
        metadata={**request.metadata, **booking, "tollgate_invoice": request.invoice_id},
    )


def look(attempt: Attempt, plan: Plan) -> Made | None:
    """Find the invoice by its id, else by its operation, for whomever the customer was at Stripe; or None.

    Raises:
        StripeOutcomeUnknownError: also if the look-up is refused, which tells nothing of what was asked before.
        StripeError: as the gateway does.
    """
    if plan.stripe_id is not None:
        return fetch(attempt, plan.stripe_id)
    stripe_customer = customers.look_up(attempt, plan.customer)
    operation = operation_name(plan.request.invoice_id, CREATE, 1)
    known = [] if stripe_customer is None else [stripe_customer]
    for name in (*known, *plan.customer.former_stripe_ids):
        find = partial(attempt.runtime.stripe.invoices.find, operation=operation, between=attempt.before_call)
        found = looked_up(attempt, partial(find, customer_id=name))
        if found is not None:
            return Made(found, "fetch")
    return None


def fetch(attempt: Attempt, stripe_id: str) -> Made:
    """Fetch an invoice; raises StripeError as the gateway does."""
    attempt.before_call()
    return Made(attempt.runtime.stripe.invoices.retrieve(stripe_id), "fetch")


def pending_verb(intent: str | None) -> str | None:
    """Return the step that an intent is for."""
    operation = parse_operation(intent or "")
    return None if operation is None else operation[1]
