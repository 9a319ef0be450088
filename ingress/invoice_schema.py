"""What an invoice may ask for."""

from typing import Any, Final

from marshmallow import ValidationError, validates_schema

from config import vat
from config.currencies import MAXIMUM_AMOUNT, amount_flaw
from ingress.fields import Complaint, Day, Flag, Nested, OneOf, StrictSchema, Text, Whole
from ingress.invoice_fields import Several
from ingress.money_schema import MoneySchema
from ingress.payment_intents import (
    BOOKING,
    BOOKING_IN_WORDS,
    MAXIMUM_BOOKING,
    MAXIMUM_METADATA,
    CustomerSchema,
    Metadata,
)
from tasks.contracts.invoices import CreateInvoice, priced

MOST_LINES: Final = 250  # what Stripe takes in one request
MOST_OF_ONE: Final = 100_000  # of one thing on one line; Stripe's own limit is not told
LONGEST_TERM: Final = 365  # days until an invoice is due
DEFAULT_TERM: Final = 30
PAYMENT: Final = "pay_[a-z2-7]{26}"


class InvoiceLineSchema(StrictSchema):
    """One line of an invoice."""

    description = Text(1, 250, required=True, metadata={"example": "First aid at work, 12 March"})
    quantity = Whole(1, MOST_OF_ONE, load_default=1, metadata={"example": 2})
    unit_amount = Whole(
        0,
        MAXIMUM_AMOUNT,
        required=True,
        metadata={"description": "The price of one, in minor units (pence)", "example": 4950},
    )
    tax = OneOf(
        vat.TAXES,
        "tax_unknown",
        required=True,
        metadata={
            "description": "VAT of the United Kingdom: 20 %, 5 %, or none, for one of two reasons",
            "example": "exempt",
        },
    )


class InvoiceSchema(MoneySchema):
    """An invoice to be made.

    Args:
        currencies: those that may be asked for.
    """

    customer = Nested(CustomerSchema, required=True)
    lines = Several(Nested(InvoiceLineSchema), 1, MOST_LINES, required=True)
    tax_inclusive = Flag(
        metadata={
            "description": "Whether the unit amounts hold their VAT; else it is added. Each line's VAT is rounded"
        }
    )
    purchase_order = Text(
        1, 140, metadata={"description": "The customer's own number, printed on the invoice", "example": "PO-4711"}
    )
    due_date = Day(
        metadata={
            "description": "The last day on which it is paid in time; or give `days_until_due`",
            "format": "date",
            "example": "2026-04-30",
        }
    )
    days_until_due = Whole(1, LONGEST_TERM, metadata={"description": f"If neither is given, {DEFAULT_TERM}"})
    booking_reference = Text(
        1,
        MAXIMUM_BOOKING,
        pattern=BOOKING,
        allowed=BOOKING_IN_WORDS,
        metadata={"example": "BK-2026-0117"},
    )
    memo = Text(1, 500, metadata={"description": "Printed above the lines"})
    footer = Text(1, 500, metadata={"description": "Printed below"})
    metadata = Metadata(metadata={"maxProperties": MAXIMUM_METADATA, "example": {"course": "first-aid"}})
    payment = Text(
        1,
        30,
        pattern=PAYMENT,
        allowed="the id of a payment",
        metadata={
            "description": "A payment of this customer's that was made on the site, of the same amount: the invoice is "
            "issued as paid by it",
            "example": "pay_psllb4cciywirkrfno2cht5xz7",
        },
    )
    send = Flag(
        metadata={
            "description": "Whether Stripe mails it to the customer. By default it does, unless the invoice stays a "
            "draft or is paid already"
        }
    )
    draft = Flag(metadata={"description": "Let it be a draft until it is finalized or sent; by default it is not"})

    @validates_schema(skip_on_field_errors=True)
    def _total_can_be_paid(self, data: dict[str, Any], **_options: object) -> None:
        inclusive = data.get("tax_inclusive", False)
        total = vat.total(priced(line, inclusive=inclusive).sum for line in data["lines"]).gross
        flaw = amount_flaw(total, data["currency"])
        if flaw is not None:
            raise ValidationError({"lines": [Complaint(flaw.code, f"Of the invoice's total: {flaw.words}")]})

    @validates_schema(skip_on_field_errors=False)
    def _due_once(self, data: dict[str, Any], **_options: object) -> None:
        if "due_date" in data and "days_until_due" in data:
            raise ValidationError({"days_until_due": [Complaint("contradiction", "Give it or a due_date, not both.")]})

    @validates_schema(skip_on_field_errors=False)
    def _one_fate(self, data: dict[str, Any], **_options: object) -> None:
        if data.get("draft") is True and data.get("send") is True:
            raise ValidationError({"send": [Complaint("contradiction", "A draft is not sent: send it later.")]})
        if data.get("draft") is True and "payment" in data:
            raise ValidationError({"draft": [Complaint("contradiction", "What is paid already is no draft.")]})
        if data.get("send") is True and "payment" in data:
            message = "Stripe asks for money when it sends an invoice, and this one is paid already."
            raise ValidationError({"send": [Complaint("contradiction", message)]})


def invoice_contract(invoice_id: str, asked: dict[str, Any], shown: str | None = None) -> CreateInvoice:
    """Return the job for what was asked.

    Args:
        invoice_id: by `tasks.contracts.identity.invoice_id`.
        asked: as `InvoiceSchema` has read it.
        shown: the status of the payment it names, as the client can read it; None if it can't.
    """
    customer, due_date, payment = asked["customer"], asked.get("due_date"), asked.get("payment")
    draft = asked.get("draft", False)
    return CreateInvoice(
        invoice_id=invoice_id,
        customer_name=customer["name"],
        customer_email=customer["email"],
        currency=asked["currency"],
        lines=asked["lines"],
        tax_inclusive=asked.get("tax_inclusive", False),
        purchase_order=asked.get("purchase_order"),
        due_date=due_date,
        days_until_due=asked.get("days_until_due", DEFAULT_TERM) if due_date is None else None,
        booking_reference=asked.get("booking_reference"),
        memo=asked.get("memo"),
        footer=asked.get("footer"),
        metadata=asked.get("metadata", {}),
        payment_id=payment,
        send=asked.get("send", payment is None and not draft),
        draft=draft,
        shown=shown,
    )
