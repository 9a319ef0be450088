"""The jobs of invoices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from config import queues, vat
from config.retries import CREATE_INVOICE_AGE, REFRESH_INVOICE_AGE, REMIND_INVOICES_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice, and what it comes to; amounts in minor units.

    Args:
        unit_amount: the price of one, with its tax if the invoice is `tax_inclusive`.
        tax: one of `config.vat.TAXES`.
    """

    description: str
    quantity: int
    unit_amount: int
    tax: str
    sum: vat.Sum


@dataclass(frozen=True, slots=True)
class CreateInvoice(JsonContract):
    """Make an invoice at Stripe, and finalize, send or settle it.

    Args:
        invoice_id: ours, derived from client, route and idempotency key.
        currency: ISO 4217, lower case as Stripe writes it.
        lines: `{description, quantity, unit_amount, tax}` each, as they were asked for; `priced` reads them.
        tax_inclusive: whether the prices hold their tax.
        due_date: the last day on which it is paid in time (`YYYY-MM-DD`), if it was asked for by the day.
        days_until_due: or how many days from the day it is made; None with a `due_date`.
        payment_id: of a payment that was made on the site: the invoice is issued as paid by it.
        send: Stripe mails it to the customer.
        draft: it stays a draft until it is finalized or sent by an operation of its own.
        shown: the payment's status as its client could read it; None if it could read none.
    """

    KIND: ClassVar[Kind] = Kind("invoices.create", queues.INVOICES, max_age=CREATE_INVOICE_AGE)

    invoice_id: str
    customer_name: str
    customer_email: str
    currency: str
    lines: Sequence[Mapping[str, Any]]
    tax_inclusive: bool
    purchase_order: str | None
    due_date: str | None
    days_until_due: int | None
    booking_reference: str | None
    memo: str | None
    footer: str | None
    metadata: Mapping[str, str]
    payment_id: str | None
    send: bool
    draft: bool
    shown: str | None = None

    @property
    def priced(self) -> Sequence[Line]:
        """The lines with what each comes to."""
        return [priced(each, inclusive=self.tax_inclusive) for each in self.lines]

    @property
    def total(self) -> vat.Sum:
        """What all lines come to."""
        return vat.total(line.sum for line in self.priced)


def priced(line: Mapping[str, Any], *, inclusive: bool) -> Line:
    """Return a line with what it comes to."""
    quantity, unit_amount, tax = line["quantity"], line["unit_amount"], line["tax"]
    amount = vat.line_sum(quantity * unit_amount, tax, inclusive=inclusive)
    return Line(line["description"], quantity, unit_amount, tax, amount)


@dataclass(frozen=True, slots=True)
class RefreshInvoice(JsonContract):
    """Fetch an invoice once, because what was heard of it is ambiguous or leaves out by which payment it was paid.

    Args:
        even_if_clear: whatever was heard: something may not have been.
    """

    KIND: ClassVar[Kind] = Kind(
        "invoices.refresh", queues.MAINTENANCE, max_age=REFRESH_INVOICE_AGE, shown=False, asks=False, posted=False
    )

    invoice_id: str
    even_if_clear: bool = False


@dataclass(frozen=True, slots=True)
class RemindInvoices(JsonContract):
    """See which invoices are overdue, and have Stripe mail them again when their reminder's day has come."""

    KIND: ClassVar[Kind] = Kind(
        "invoices.remind", queues.MAINTENANCE, max_age=REMIND_INVOICES_AGE, shown=False, asks=False, posted=False
    )
