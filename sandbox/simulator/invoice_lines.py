"""The lines of an invoice (https://docs.stripe.com/api/invoice-line-item), each made of an invoice item."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox.simulator import tax_rates
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid
from sandbox.simulator.invoice_totals import tax_entry, tax_of_rate, totals
from sandbox.simulator.lists import page_of
from sandbox.simulator.params import merged_metadata
from sandbox.simulator.state import Change

SHORT_LENGTH: Final = 14  # of the ids of prices and products


def of(change: Change, invoice: str) -> list[JsonObject]:
    """Return all lines of an invoice, the newest first."""
    held = change.get("invoice_lines", invoice)
    return held["lines"] if held is not None else []


def with_lines(change: Change, invoice: JsonObject, lines: Sequence[JsonObject]) -> JsonObject:
    """Keep an invoice's lines, and return it with the first ten of them and what they come to; it is not yet kept."""
    change.put("invoice_lines", {"id": invoice["id"], "lines": list(lines)})
    shown = page_of(lines, {}, url=url_of(invoice["id"]), noun="line item")
    return invoice | {"lines": shown} | totals(lines, invoice["starting_balance"])


def index(change: Change, invoice: str, values: dict[str, Any]) -> JsonObject:
    """List an invoice's lines."""
    return page_of(of(change, invoice), values, url=url_of(invoice), noun="line item")


def url_of(invoice: str) -> str:
    """Return where an invoice's lines are listed."""
    return f"/v1/invoices/{invoice}/lines"


def new_item(change: Change, customer: str, code: str, values: dict[str, Any]) -> JsonObject:
    """Return a new invoice item with a one-off price behind it; it is not yet kept.

    Raises:
        ApiError: its price is in another currency, or a tax rate does not exist.
    """
    price, quantity = values.get("price_data"), values.get("quantity", 1)
    if price is not None and price["currency"] != code:
        raise invalid(
            f"The specified price is in `{price['currency']}`, but the invoice is in `{code}`. The currencies of an "
            "invoice and of its items must match.",
            param="price_data[currency]",
        )
    unit = values["amount"] if price is None else price["unit_amount"]
    now = change.clock.now()
    rates = [tax_rates.find(change, each, param="tax_rates") for each in values.get("tax_rates") or []]
    amount = unit * quantity
    return {
        "id": change.identifiers.new("ii"),
        "object": "invoiceitem",
        "amount": amount,
        "currency": code,
        "customer": customer,
        "customer_account": None,
        "date": now,
        "description": values.get("description") or (price and price["product_data"]["name"]) or None,
        "discountable": values.get("discountable", amount >= 0),
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": merged_metadata({}, values.get("metadata")),
        "net_amount": amount,
        "parent": None,
        "period": values.get("period") or {"start": now, "end": now},
        "pricing": {
            "price_details": {
                "price": change.identifiers.new("price"),
                "product": change.identifiers.new("prod", SHORT_LENGTH),
            },
            "type": "price_details",
            "unit_amount_decimal": str(unit),
        },
        "proration": False,
        "proration_details": None,
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "tax_rates": rates,
        "test_clock": None,
    }


def of_item(
    change: Change, item: JsonObject, invoice: str, tax_amounts: Sequence[dict[str, Any]] | None = None
) -> JsonObject:
    """Return the line that an invoice item becomes on an invoice, taxed by the amounts given or by its own rates."""
    if tax_amounts:
        taxes = [_given(change, each) for each in tax_amounts]
    else:
        taxes = [tax_of_rate(item["amount"], rate) for rate in item["tax_rates"]]
    same = ("amount", "currency", "description", "discountable", "discounts", "metadata", "period", "pricing")
    return {
        "id": change.identifiers.new("il"),
        "object": "line_item",
        **{name: item[name] for name in (*same, "quantity", "quantity_decimal")},
        "discount_amounts": [],
        "invoice": invoice,
        "livemode": False,
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "pretax_credit_amounts": [],
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": taxes,
    }


def _given(change: Change, tax: dict[str, Any]) -> JsonObject:
    rate = tax_rates.of_data(change, tax["tax_rate_data"])
    return tax_entry(rate, tax["amount"], tax["taxable_amount"], tax.get("taxability_reason"))
