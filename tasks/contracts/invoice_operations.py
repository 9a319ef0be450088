"""The jobs that change an invoice which is there: finalize, send, void, give up, take for paid.

Their `invoice_id` is as it was asked for, it need not be one of this client's; `shown` tells whether the client could
read the invoice when it asked, which a restored database may yet have to learn.
"""

from dataclasses import dataclass
from typing import ClassVar

from config import queues
from config.retries import CHANGE_INVOICE_AGE
from tasks.contracts.job import JsonContract, Kind


@dataclass(frozen=True, slots=True)
class InvoiceOperation(JsonContract):
    """What is asked of an invoice that is there; its kind says what."""

    KIND: ClassVar[Kind]

    invoice_id: str
    shown: bool = False


@dataclass(frozen=True, slots=True)
class FinalizeInvoice(InvoiceOperation):
    """Make a draft binding: it gets its number, and can be paid."""

    KIND: ClassVar[Kind] = Kind("invoices.finalize", queues.INVOICES, max_age=CHANGE_INVOICE_AGE)


@dataclass(frozen=True, slots=True)
class SendInvoice(InvoiceOperation):
    """Have Stripe mail an invoice that is owed; a draft is finalized first."""

    KIND: ClassVar[Kind] = Kind("invoices.send", queues.INVOICES, max_age=CHANGE_INVOICE_AGE)


@dataclass(frozen=True, slots=True)
class VoidInvoice(InvoiceOperation):
    """Take an invoice back that is not paid."""

    KIND: ClassVar[Kind] = Kind("invoices.void", queues.INVOICES, max_age=CHANGE_INVOICE_AGE)


@dataclass(frozen=True, slots=True)
class MarkInvoiceUncollectible(InvoiceOperation):
    """Give an invoice up that will hardly be paid."""

    KIND: ClassVar[Kind] = Kind("invoices.mark_uncollectible", queues.INVOICES, max_age=CHANGE_INVOICE_AGE)


@dataclass(frozen=True, slots=True)
class PayInvoiceOutOfBand(InvoiceOperation):
    """Take an invoice for paid whose money came past Stripe, by bank transfer for instance."""

    KIND: ClassVar[Kind] = Kind("invoices.pay_out_of_band", queues.INVOICES, max_age=CHANGE_INVOICE_AGE)
