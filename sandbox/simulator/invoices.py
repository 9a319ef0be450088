"""Invoices as drafts, and what may be read of them (https://docs.stripe.com/api/invoices)."""

from collections.abc import Sequence
from typing import Any, Final

from sandbox.simulator import customers, invoice_items, invoice_lines
from sandbox.simulator.account import ACCOUNT_COUNTRY, ACCOUNT_CURRENCY, ACCOUNT_NAME, JsonObject
from sandbox.simulator.errors import NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.invoice_params import DAY_SECONDS
from sandbox.simulator.lists import page, within
from sandbox.simulator.params import merged_metadata
from sandbox.simulator.state import Change

ADVANCE_SECONDS: Final = 60 * 60 + 1  # after which Stripe finalizes a draft that advances by itself
WRITTEN: Final = (
    "auto_advance",
    "collection_method",
    "custom_fields",
    "default_payment_method",
    "description",
    "due_date",
    "effective_at",
    "footer",
    "number",
    "statement_descriptor",
)
NOT_IN_USE: Final = (
    "account_tax_ids",
    "application",
    "customer_account",
    "default_source",
    "from_invoice",
    "last_finalization_error",
    "latest_revision",
    "next_payment_attempt",
    "on_behalf_of",
    "parent",
    "receipt_number",
    "rendering",
    "shipping_cost",
    "shipping_details",
    "status_details",
    "test_clock",
)


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make a draft, with the customer's pending invoice items if that is asked for.

    Raises:
        ApiError: there is no such customer, or the due date is over.
    """
    customer = customers.find(change, values["customer"], param="customer")
    new = _new(change, customer, values.get("currency", ACCOUNT_CURRENCY))
    new |= _written(change, new, values)
    pending = values.get("pending_invoice_items_behavior") == "include"
    items = invoice_items.pending(change, customer["id"], new["currency"]) if pending else []
    draft = change.create("invoices", invoice_lines.with_lines(change, new, _lines(change, new, items)))
    emit(change, "invoice.created", draft)
    return draft


def update(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Change a draft; of a finalized invoice only the metadata may still change.

    Raises:
        ApiError: there is none, or it is finalized.
    """
    before = find(change, name, param="id")
    asked = sorted(values.keys() - {"expand", "metadata"})
    if asked and before["status"] != "draft":
        raise invalid("Finalized invoices can't be updated in this way", param=asked[0])
    after = before | _written(change, before, values)
    return changed(change, after, before) if after != before else before


def add_lines(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Add lines to a draft; they come before those that it has.

    Raises:
        ApiError: it is finalized, or a line does not fit it.
    """
    before = editable(change, name)
    added: list[JsonObject] = []
    for given in values["lines"]:
        item = invoice_items.for_line(change, before, given)
        added.append(invoice_lines.of_item(change, item, before["id"], given.get("tax_amounts")))
    after = invoice_lines.with_lines(change, before, [*added, *invoice_lines.of(change, name)])
    if "invoice_metadata" in values:
        after["metadata"] = merged_metadata(before["metadata"], values["invoice_metadata"])
    return changed(change, after, before)


def add_item(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make an invoice item: a line of the draft that it names, or one that waits for its customer's next invoice."""
    if "invoice" not in values:
        return invoice_items.create_pending(change, values)
    before = editable(change, values["invoice"])
    item = invoice_items.for_line(change, before, values)
    lines = _lines(change, before, [item])
    changed(change, invoice_lines.with_lines(change, before, [*lines, *invoice_lines.of(change, before["id"])]), before)
    return item


def delete(change: Change, name: str) -> JsonObject:
    """Delete a draft.

    Raises:
        ApiError: there is none, or it is finalized.
    """
    draft = retrieve(change, name)
    if draft["status"] != "draft":
        raise invalid("You can only delete draft invoices.")
    change.remove("invoices", name)
    change.remove("invoice_lines", name)
    emit(change, "invoice.deleted", draft)
    return {"id": name, "object": "invoice", "deleted": True}


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one invoice.

    Raises:
        ApiError: 404, there is none.
    """
    return find(change, name, param="invoice")


def find(change: Change, name: str, *, param: str) -> JsonObject:
    """Return the invoice of a path, which Stripe's refusals call now ``invoice``, now ``id``.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("invoices", name)
    if known is None:
        raise missing_resource("invoice", name, param=param, status=NOT_FOUND)
    return known


def editable(change: Change, name: str) -> JsonObject:
    """Return an invoice whose lines may change.

    Raises:
        ApiError: there is none, or it is finalized.
    """
    draft = retrieve(change, name)
    if draft["status"] != "draft":
        raise invalid("Invalid invoice: This invoice is no longer editable", code="invoice_not_editable")
    return draft


def changed(change: Change, after: JsonObject, before: JsonObject) -> JsonObject:
    """Keep an invoice and tell of it."""
    change.put("invoices", after)
    emit(change, "invoice.updated", after, before)
    return after


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List invoices, the newest first, by customer, status, collection method and due date."""
    filters = {name: values[name] for name in ("customer", "status", "collection_method") if name in values}
    due = values.get("due_date")

    def matches(invoice: JsonObject) -> bool:
        if due is not None and (invoice["due_date"] is None or not within(invoice["due_date"], due)):
            return False
        return all(invoice[name] == wanted for name, wanted in filters.items())

    return page(change.state, "invoices", values, matches, url="/v1/invoices", noun="invoice")


def lines(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """List an invoice's lines.

    Raises:
        ApiError: 404, there is no such invoice.
    """
    return invoice_lines.index(change, retrieve(change, name)["id"], values)


def of_customer(customer: JsonObject) -> JsonObject:
    """Return what an invoice tells of its customer, as it is until the invoice is finalized."""
    told = ("address", "email", "name", "phone", "shipping", "tax_exempt")
    return {f"customer_{name}": customer[name] for name in told} | {"customer_tax_ids": []}


def _lines(change: Change, invoice: JsonObject, items: Sequence[JsonObject]) -> list[JsonObject]:
    return [
        invoice_lines.of_item(change, invoice_items.put_on(change, item, invoice["id"]), invoice["id"])
        for item in items
    ]


def _written(change: Change, current: JsonObject, values: dict[str, Any]) -> JsonObject:
    changes: JsonObject = {name: values[name] for name in WRITTEN if name in values}
    now = change.clock.now()
    if "days_until_due" in values:
        changes["due_date"] = current["created"] + values["days_until_due"] * DAY_SECONDS
    elif values.get("due_date", now) < now:
        raise invalid("The `due_date` of an invoice must be in the future.", param="due_date")
    if "auto_advance" in values:
        at = current["created"] + ADVANCE_SECONDS
        changes["automatically_finalizes_at"] = at if values["auto_advance"] else None
    if "metadata" in values:
        changes["metadata"] = merged_metadata(current["metadata"], values["metadata"])
    return changes


def _new(change: Change, customer: JsonObject, code: str) -> JsonObject:
    now = change.clock.now()
    return {
        "id": change.identifiers.new("in"),
        "object": "invoice",
        **dict.fromkeys((*NOT_IN_USE, *WRITTEN)),
        **of_customer(customer),
        "account_country": ACCOUNT_COUNTRY,
        "account_name": ACCOUNT_NAME,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_shipping": 0,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": False,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None,
        "billing_reason": "manual",
        "collection_method": "charge_automatically",
        "created": now,
        "currency": code,
        "customer": customer["id"],
        "default_tax_rates": [],
        "discounts": [],
        "ending_balance": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "livemode": False,
        "metadata": {},
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "period_end": now,
        "period_start": now,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "threshold_reason": None,
        "total_discount_amounts": [],
        "total_pretax_credit_amounts": [],
        "webhooks_delivered_at": now,
    }
