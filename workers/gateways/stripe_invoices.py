"""Invoices at Stripe: a part of the gateway. Every failure is one of `config.errors`; no method repeats a call."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from stripe import V1Services
from stripe.params import (
    InvoiceAddLinesParams,
    InvoiceAddLinesParamsLine,
    InvoiceCreateParams,
    InvoiceListParams,
)

from config.vat import RATES
from tasks.contracts.invoices import Line
from tasks.contracts.steps import Step
from workers.gateways.calls import Answered, Caller, Request, WholePage, at_once, whole_page
from workers.gateways.invoice_snapshots import InvoiceSnapshot, ListedInvoice, invoice_snapshot, listed_invoice
from workers.gateways.operations import idempotency_key, marked
from workers.gateways.snapshots import Answer

PAGE_SIZE: Final = 100  # the most that Stripe lists at once
EXPAND: Final = ["payments"]
PURCHASE_ORDER: Final = "Purchase order"  # as it is printed


@dataclass(frozen=True, slots=True)
class Draft:
    """What a new invoice holds besides its lines.

    Args:
        due_at: until when it is paid in time; or days_until_due from now.
    """

    customer_id: str
    currency: str
    due_at: datetime | None
    days_until_due: int | None
    purchase_order: str | None = field(repr=False)
    memo: str | None = field(repr=False)
    footer: str | None = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)


class StripeInvoices:
    """Stripe's API of invoices, safe for threads. Every call asks under the key of an operation of its own.

    Args:
        caller: makes the calls.
        services: stripe-python's.
        system: written to whatever is made, so that this Tollgate's invoices are told from another's.
    """

    def __init__(self, caller: Caller, services: V1Services, system: str) -> None:
        self._caller = caller
        self._system = system
        self._invoices = services.invoices

    def create(self, draft: Draft, operation: str) -> Answer[InvoiceSnapshot]:
        """Make a draft without lines. Stripe does nothing with it by itself: it neither finalizes nor sends it."""
        params: InvoiceCreateParams = {
            "customer": draft.customer_id,
            "currency": draft.currency,
            "collection_method": "send_invoice",
            "auto_advance": False,
            "pending_invoice_items_behavior": "exclude",
            "metadata": marked(draft.metadata, operation, self._system),
            "expand": [*EXPAND],
        }
        if draft.due_at is not None:
            params["due_date"] = int(draft.due_at.timestamp())
        if draft.days_until_due is not None:
            params["days_until_due"] = draft.days_until_due
        if draft.purchase_order is not None:
            params["custom_fields"] = [{"name": PURCHASE_ORDER, "value": draft.purchase_order}]
        if draft.memo is not None:
            params["description"] = draft.memo
        if draft.footer is not None:
            params["footer"] = draft.footer

        def send() -> Answered:
            return self._invoices.create(params, {"idempotency_key": idempotency_key(operation)})

        return self._change(Step.MAKE_INVOICE, "invoices.create", operation, send)

    def add_lines(
        self, invoice_id: str, lines: Sequence[Line], *, currency: str, inclusive: bool, operation: str
    ) -> Answer[InvoiceSnapshot]:
        """Put all lines on a draft, their taxes as we have worked them out; Stripe works out nothing by itself."""
        params: InvoiceAddLinesParams = {
            "lines": [_line(line, currency=currency, inclusive=inclusive) for line in lines],
            "expand": [*EXPAND],
        }

        def send() -> Answered:
            return self._invoices.add_lines(invoice_id, params, {"idempotency_key": idempotency_key(operation)})

        return self._change(Step.ADD_LINES, "invoices.add_lines", operation, send)

    def finalize(self, invoice_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Make a draft binding: Stripe gives it its number, its page and its PDF."""

        def send() -> Answered:
            return self._invoices.finalize_invoice(
                invoice_id,
                {"auto_advance": False, "expand": [*EXPAND]},
                {"idempotency_key": idempotency_key(operation)},
            )

        return self._change(Step.FINALIZE_INVOICE, "invoices.finalize", operation, send)

    def send(self, invoice_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Have Stripe mail an open invoice to its customer."""

        def send() -> Answered:
            return self._invoices.send_invoice(
                invoice_id, {"expand": [*EXPAND]}, {"idempotency_key": idempotency_key(operation)}
            )

        return self._change(Step.SEND_INVOICE, "invoices.send", operation, send)

    def attach_payment(self, invoice_id: str, payment_intent_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Let a PaymentIntent of ours pay an open invoice; one that has succeeded is credited at once."""

        def send() -> Answered:
            return self._invoices.attach_payment(
                invoice_id,
                {"payment_intent": payment_intent_id, "expand": [*EXPAND]},
                {"idempotency_key": idempotency_key(operation)},
            )

        return self._change(Step.SETTLE_INVOICE, "invoices.attach_payment", operation, send)

    def pay_out_of_band(self, invoice_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Note that an invoice was paid past Stripe; nothing is charged."""

        def send() -> Answered:
            return self._invoices.pay(
                invoice_id,
                {"paid_out_of_band": True, "expand": [*EXPAND]},
                {"idempotency_key": idempotency_key(operation)},
            )

        return self._change(Step.SETTLE_INVOICE, "invoices.pay", operation, send)

    def void(self, invoice_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Take a finalized invoice back; it stays for the records, with its number."""

        def send() -> Answered:
            return self._invoices.void_invoice(
                invoice_id, {"expand": [*EXPAND]}, {"idempotency_key": idempotency_key(operation)}
            )

        return self._change(Step.CLOSE_INVOICE, "invoices.void", operation, send)

    def mark_uncollectible(self, invoice_id: str, operation: str) -> Answer[InvoiceSnapshot]:
        """Give a finalized invoice up; it may be paid all the same."""

        def send() -> Answered:
            return self._invoices.mark_uncollectible(
                invoice_id, {"expand": [*EXPAND]}, {"idempotency_key": idempotency_key(operation)}
            )

        return self._change(Step.CLOSE_INVOICE, "invoices.mark_uncollectible", operation, send)

    def retrieve(self, invoice_id: str) -> Answer[InvoiceSnapshot]:
        """Fetch an invoice with its payments."""

        def send() -> Answered:
            return self._invoices.retrieve(invoice_id, {"expand": [*EXPAND]})

        return self._caller.answer(Request(Step.LOOK_UP, "GET", "invoices.retrieve", None, send, invoice_snapshot))

    def find(
        self, *, customer_id: str, operation: str, between: Callable[[], None] = at_once
    ) -> Answer[InvoiceSnapshot] | None:
        """Return the invoice that an operation made for a customer, with its payments; None if it made none.

        It lists; more than a hundred invoices of one customer take several calls, with `between` before each further
        one.
        """
        page = partial(self._page, customer_id)
        return self._caller.find("invoices.list", operation, page, invoice_snapshot, between)

    def list_made(self, *, since: datetime, until: datetime, after: str | None) -> Answer[WholePage[ListedInvoice]]:
        """Return a page of the invoices that were made in a time, the newest in front.

        `since` is included, `until` is not; `after` is the last invoice of the page before, None for the first.
        """
        params: InvoiceListParams = {
            "limit": PAGE_SIZE,
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
        }
        if after is not None:
            params["starting_after"] = after

        def send() -> Answered:
            return self._invoices.list(params)

        reading = partial(whole_page, read=partial(listed_invoice, system=self._system))
        return self._caller.answer(Request(Step.LOOK_UP, "GET", "invoices.list", None, send, reading))

    def _page(self, customer_id: str, after: str | None) -> Answered:
        params: InvoiceListParams = {"customer": customer_id, "limit": PAGE_SIZE, "expand": ["data.payments"]}
        if after is not None:
            params["starting_after"] = after
        return self._invoices.list(params)

    def _change(self, step: Step, name: str, operation: str, send: Callable[[], Answered]) -> Answer[InvoiceSnapshot]:
        return self._caller.answer(Request(step, "POST", name, operation, send, invoice_snapshot))


def _line(line: Line, *, currency: str, inclusive: bool) -> InvoiceAddLinesParamsLine:
    rate = RATES[line.tax]
    return {
        "description": line.description,
        "quantity": line.quantity,
        "price_data": {
            "currency": currency,
            "product_data": {"name": line.description},
            "tax_behavior": "inclusive" if inclusive else "exclusive",
            "unit_amount": line.unit_amount,
        },
        "tax_amounts": [
            {
                "amount": line.sum.tax,
                "taxable_amount": line.sum.net,
                "taxability_reason": rate.reason,
                "tax_rate_data": {
                    "country": "GB",
                    "display_name": rate.shown,
                    "inclusive": inclusive,
                    "percentage": float(rate.percentage),
                    "tax_type": "vat",
                },
            }
        ],
    }
