"""Stripe's invoices and invoice payments as Tollgate reads them; amounts in the currency's minor unit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from workers.gateways.fields import id_of, instant, mapping, require, text, text_or_none, whole, words_or_none, wrong
from workers.gateways.operations import OPERATION_METADATA, own_operation

PAYMENT_PAID: Final = "paid"


@dataclass(frozen=True, slots=True)
class InvoicePaymentSnapshot:
    """Which PaymentIntent pays how much of an invoice (https://docs.stripe.com/api/invoice-payment/object).

    `payment_intent_id` is None for what was paid in another way.
    """

    id: str
    invoice_id: str | None
    payment_intent_id: str | None
    status: str
    amount_paid: int


@dataclass(frozen=True, slots=True)
class InvoiceSnapshot:
    """An invoice (https://docs.stripe.com/api/invoices/object).

    `payments` is None when they were not expanded, so that they are not known. `total` holds the taxes,
    `paid_elsewhere` is what was paid past Stripe, `changed_at` when its status last became another.
    The addresses show the invoice to whoever has them.
    """

    id: str
    status: str
    currency: str
    total: int
    tax: int
    amount_paid: int
    paid_elsewhere: int
    has_lines: bool
    number: str | None
    customer_id: str | None
    due_at: datetime | None
    paid_at: datetime | None
    hosted_url: str | None = field(repr=False)
    pdf_url: str | None = field(repr=False)
    payments: Sequence[InvoicePaymentSnapshot] | None
    operation: str | None
    created: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class ListedInvoice:
    """An invoice as books are compared: with the operation of this Tollgate's that has made it, None if none has."""

    invoice: InvoiceSnapshot
    operation: str | None


def listed_invoice(fields: Mapping[str, Any], system: str) -> ListedInvoice:
    """Read an invoice, as the Tollgate of that name; raises ContractError if the fields are not those of one."""
    return ListedInvoice(invoice_snapshot(fields), own_operation(mapping(fields, "metadata"), system))


def invoice_snapshot(fields: Mapping[str, Any]) -> InvoiceSnapshot:
    """Read an invoice.

    Raises:
        ContractError: the fields are not those of an invoice; names the field.
    """
    require(fields, "invoice")
    moments = mapping(fields, "status_transitions")
    return InvoiceSnapshot(
        id=text(fields, "id"),
        status=text(fields, "status"),
        currency=text(fields, "currency"),
        total=whole(fields, "total"),
        tax=sum(whole(each, "amount") for each in _objects(fields, "total_taxes")),
        amount_paid=whole(fields, "amount_paid", 0),
        paid_elsewhere=whole(fields, "amount_paid_off_stripe", 0),
        has_lines=bool(_objects(mapping(fields, "lines"), "data")),
        number=text_or_none(fields, "number"),
        customer_id=id_of(fields, "customer"),
        due_at=_instant_or_none(fields, "due_date"),
        paid_at=_instant_or_none(moments, "paid_at"),
        hosted_url=words_or_none(fields, "hosted_invoice_url"),
        pdf_url=words_or_none(fields, "invoice_pdf"),
        payments=_payments(fields),
        operation=text_or_none(mapping(fields, "metadata"), OPERATION_METADATA),
        created=instant(fields, "created"),
        changed_at=max([instant(fields, "created"), *_moments(moments)]),
    )


def invoice_payment_snapshot(fields: Mapping[str, Any]) -> InvoicePaymentSnapshot:
    """Read an invoice payment; raises ContractError if it is none."""
    require(fields, "invoice_payment")
    return InvoicePaymentSnapshot(
        id=text(fields, "id"),
        invoice_id=id_of(fields, "invoice"),
        payment_intent_id=id_of(mapping(fields, "payment"), "payment_intent"),
        status=text(fields, "status"),
        amount_paid=whole(fields, "amount_paid", 0),
    )


def _moments(transitions: Mapping[str, Any]) -> Sequence[datetime]:
    return [instant(transitions, name) for name, moment in transitions.items() if moment is not None]


def _payments(fields: Mapping[str, Any]) -> Sequence[InvoicePaymentSnapshot] | None:
    if fields.get("payments") is None:
        return None
    return tuple(invoice_payment_snapshot(each) for each in _objects(mapping(fields, "payments"), "data"))


def _objects(fields: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = fields.get(name)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise wrong(name, "list of objects", found)
    return found


def _instant_or_none(fields: Mapping[str, Any], name: str) -> datetime | None:
    return None if fields.get(name) is None else instant(fields, name)
