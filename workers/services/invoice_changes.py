"""Changes of an invoice that is there: what each asks of Stripe, and what the invoice's status says of it.

Stripe finalizes, settles and closes an invoice once, so its status tells whether such a change was made. Whether it was
mailed, only Stripe's event tells, or the answer (https://docs.stripe.com/invoicing/overview#invoice-statuses).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from tasks.contracts.invoice_operations import (
    FinalizeInvoice,
    InvoiceOperation,
    MarkInvoiceUncollectible,
    PayInvoiceOutOfBand,
    SendInvoice,
    VoidInvoice,
)
from workers.gateways.invoice_snapshots import InvoiceSnapshot
from workers.gateways.snapshots import Answer
from workers.gateways.stripe_invoices import StripeInvoices
from workers.services.refusals import Refusal

Verdict = Literal["done", "open"] | Refusal
SEND: Final = "send"

_PAID: Final = Refusal("invoice_paid", "The invoice is paid.")
_VOID: Final = Refusal("invoice_void", "The invoice was taken back.")
_DRAFT: Final = Refusal("invoice_is_draft", "The invoice is a draft: finalize it first.")
_GIVEN_UP: Final = Refusal("invoice_uncollectible", "The invoice was given up: it can be paid or taken back.")
_OVER: Final[Mapping[str, Verdict]] = {"paid": _PAID, "void": _VOID}


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an invoice.

    Args:
        verb: names its operation.
        verdicts: what an invoice's status at Stripe says of it.
        ask: asks Stripe for it, by the invoice's id and under an operation; raises StripeError as the gateway does.
        looks_back: whether the status tells if it was done; else it is never asked under another key.
    """

    verb: str
    verdicts: Mapping[str, Verdict]
    ask: Callable[[StripeInvoices, str, str], Answer[InvoiceSnapshot]]
    looks_back: bool = True


CHANGES: Final[Mapping[type[InvoiceOperation], Change]] = {
    FinalizeInvoice: Change(
        "finalize",
        {"draft": "open", "open": "done", "uncollectible": "done", "paid": "done", "void": _VOID},
        StripeInvoices.finalize,
    ),
    SendInvoice: Change(
        SEND,
        {**_OVER, "draft": "open", "open": "open", "uncollectible": _GIVEN_UP},
        StripeInvoices.send,
        looks_back=False,
    ),
    VoidInvoice: Change(
        "void",
        {"draft": _DRAFT, "open": "open", "uncollectible": "open", "paid": _PAID, "void": "done"},
        StripeInvoices.void,
    ),
    MarkInvoiceUncollectible: Change(
        "mark_uncollectible",
        {**_OVER, "draft": _DRAFT, "open": "open", "uncollectible": "done"},
        StripeInvoices.mark_uncollectible,
    ),
    PayInvoiceOutOfBand: Change(
        "pay_out_of_band",
        {"draft": _DRAFT, "open": "open", "uncollectible": "open", "paid": _PAID, "void": _VOID},
        StripeInvoices.pay_out_of_band,
    ),
}


def verdict_of(asked: InvoiceOperation, status: str, *, paid_elsewhere: bool) -> Verdict:
    """Tell whether a change is made, can be made, or can't be, by an invoice's status at Stripe."""
    if isinstance(asked, PayInvoiceOutOfBand) and status == "paid" and paid_elsewhere:
        return "done"
    unknown = Refusal("invoice_not_ready", "The invoice can't be changed as it is.")
    return CHANGES[type(asked)].verdicts.get(status, unknown)
