"""The parameters of invoices (https://docs.stripe.com/api/invoices), and which never go together."""

from typing import Any, Final

from sandbox.simulator import tax_rates
from sandbox.simulator.errors import invalid
from sandbox.simulator.lists import LIST_PARAMS, created
from sandbox.simulator.money import currency
from sandbox.simulator.params import (
    Param,
    Spec,
    boolean,
    choice,
    identifier,
    integer,
    listing,
    mapping,
    metadata,
    text,
    unsettable,
)

MOST_LINES: Final = 250  # in one call: https://docs.stripe.com/api/invoices/add_lines
MOST_TAXES: Final = 20  # of one line
MOST_FIELDS: Final = 4  # custom ones: https://docs.stripe.com/invoicing/customize
FIELD_NAME: Final = 40
FIELD_VALUE: Final = 140
DESCRIPTION_LENGTH: Final = 1500  # of an invoice, as its page says; of a line 5000
DAY_SECONDS: Final = 24 * 60 * 60

STATUSES: Final = ("draft", "open", "void", "paid", "uncollectible")
REASONS: Final = (
    "customer_exempt",
    "not_collecting",
    "not_subject_to_tax",
    "not_supported",
    "portion_product_exempt",
    "portion_reduced_rated",
    "portion_standard_rated",
    "product_exempt",
    "product_exempt_holiday",
    "proportionally_rated",
    "reduced_rated",
    "reverse_charge",
    "standard_rated",
    "taxable_basis_reduced",
    "zero_rated",
)
EXPAND: Final[Spec] = {"expand": Param(listing(identifier))}
FIELD: Final[Spec] = {
    "name": Param(text(FIELD_NAME), required=True),
    "value": Param(text(FIELD_VALUE), required=True),
}
UPDATE: Final[Spec] = EXPAND | {
    "auto_advance": Param(boolean),
    "collection_method": Param(choice("charge_automatically", "send_invoice")),
    "custom_fields": Param(unsettable(listing(mapping(FIELD)))),
    "days_until_due": Param(integer(0)),
    "default_payment_method": Param(identifier),
    "description": Param(text(DESCRIPTION_LENGTH)),
    "due_date": Param(integer(0)),
    "effective_at": Param(integer(0)),
    "footer": Param(text()),
    "metadata": Param(metadata),
    "number": Param(text()),
    "statement_descriptor": Param(text()),
}
CREATE: Final[Spec] = UPDATE | {
    "customer": Param(identifier, required=True),
    "currency": Param(currency),
    "pending_invoice_items_behavior": Param(choice("exclude", "include")),
}
PERIOD: Final[Spec] = {"start": Param(integer(0), required=True), "end": Param(integer(0), required=True)}
PRODUCT: Final[Spec] = {
    "name": Param(identifier, required=True),
    "description": Param(text()),
    "metadata": Param(metadata),
    "unit_label": Param(text()),
}
PRICE: Final[Spec] = {
    "currency": Param(currency, required=True),
    "product_data": Param(mapping(PRODUCT), required=True),
    "tax_behavior": Param(choice("exclusive", "inclusive", "unspecified")),
    "unit_amount": Param(integer(0), required=True),
}
TAX: Final[Spec] = {
    "amount": Param(integer(), required=True),
    "tax_rate_data": Param(mapping(tax_rates.DATA), required=True),
    "taxability_reason": Param(choice(*REASONS)),
    "taxable_amount": Param(integer(), required=True),
}
ITEM: Final[Spec] = {
    "amount": Param(integer()),
    "description": Param(text()),
    "discountable": Param(boolean),
    "metadata": Param(metadata),
    "period": Param(mapping(PERIOD)),
    "price_data": Param(mapping(PRICE)),
    "quantity": Param(integer(0)),
    "tax_rates": Param(unsettable(listing(identifier))),
}
LINE: Final[Spec] = ITEM | {
    "invoice_item": Param(identifier),
    "tax_amounts": Param(unsettable(listing(mapping(TAX)))),
}
ADD_LINES: Final[Spec] = EXPAND | {
    "lines": Param(listing(mapping(LINE)), required=True),
    "invoice_metadata": Param(metadata),
}
FINALIZE: Final[Spec] = EXPAND | {"auto_advance": Param(boolean)}
PAY: Final[Spec] = EXPAND | {
    "paid_out_of_band": Param(boolean),
    "payment_method": Param(identifier),
    "off_session": Param(boolean),
}
ATTACH: Final[Spec] = EXPAND | {"payment_intent": Param(identifier, required=True)}
LIST: Final[Spec] = LIST_PARAMS | {
    "customer": Param(identifier),
    "status": Param(choice(*STATUSES)),
    "collection_method": Param(choice("charge_automatically", "send_invoice")),
    "due_date": Param(created),
}
LINES: Final[Spec] = {name: param for name, param in LIST_PARAMS.items() if name != "created"}
PAYMENT: Final[Spec] = {
    "type": Param(choice("payment_intent"), required=True),
    "payment_intent": Param(identifier),
}
LIST_PAYMENTS: Final[Spec] = LIST_PARAMS | {
    "invoice": Param(identifier),
    "payment": Param(mapping(PAYMENT)),
    "status": Param(choice("open", "paid", "canceled")),
}


def check_create(values: dict[str, Any]) -> None:
    """Refuse an invoice whose due date does not go with how it is collected, or that has too many custom fields."""
    check_update(values)
    due = "due_date" in values or "days_until_due" in values
    if values.get("collection_method") == "send_invoice" and not due:
        raise invalid(
            "If invoice collection method is 'send_invoice', you must specify 'due_date' or 'days_until_due'."
        )
    if values.get("collection_method") != "send_invoice" and due:
        raise invalid(
            "You can only specify 'due_date' or 'days_until_due' if invoice collection method is 'send_invoice'."
        )


def check_update(values: dict[str, Any]) -> None:
    """Refuse two due dates, and more custom fields than an invoice has room for."""
    if "due_date" in values and "days_until_due" in values:
        raise invalid("You may only specify one of these parameters: days_until_due, due_date.", param="days_until_due")
    if len(values.get("custom_fields") or []) > MOST_FIELDS:
        raise invalid(f"You can only specify up to {MOST_FIELDS} custom fields.", param="custom_fields")


def check_lines(values: dict[str, Any]) -> None:
    """Refuse lines that Stripe refuses whatever the invoice is."""
    lines = values["lines"]
    if len(lines) > MOST_LINES:
        raise invalid(f"You can add at most {MOST_LINES} lines at once; you gave {len(lines)}.", param="lines")
    for number, line in enumerate(lines):
        check_item(line, f"lines[{number}]")


def check_item(item: dict[str, Any], within: str = "") -> None:
    """Refuse a line or invoice item that has no price, two prices, or two kinds of taxes."""

    def named(param: str) -> str:
        return f"{within}[{param}]" if within else param

    for other in ("quantity", "price_data"):
        if "amount" in item and other in item:
            message = f"You may only specify one of these parameters: amount, {other}."
            raise invalid(message, param=named("amount"))
    if not {"amount", "price_data", "invoice_item"} & item.keys():
        message = "You must specify one of these parameters: amount, price_data."
        raise invalid(message, param=named("amount"), code="parameter_missing")
    taxes = item.get("tax_amounts") or []
    if taxes and item.get("tax_rates"):
        raise invalid(
            "You may only specify one of these parameters: tax_amounts, tax_rates.", param=named("tax_amounts")
        )
    if len(taxes) > MOST_TAXES:
        raise invalid(f"A line can have at most {MOST_TAXES} tax amounts.", param=named("tax_amounts"))
