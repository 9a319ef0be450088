"""Invoice items (https://docs.stripe.com/api/invoiceitems): what a line of an invoice is made of."""

from typing import Any, Final

from sandbox.simulator import customers, invoice_lines
from sandbox.simulator.account import ACCOUNT_CURRENCY, JsonObject
from sandbox.simulator.errors import BAD_REQUEST, NOT_FOUND, invalid, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.invoice_params import EXPAND, ITEM, check_item
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.money import currency
from sandbox.simulator.params import Param, Spec, boolean, identifier
from sandbox.simulator.state import Change

CREATE: Final[Spec] = (
    EXPAND
    | ITEM
    | {"customer": Param(identifier, required=True), "invoice": Param(identifier), "currency": Param(currency)}
)
LIST: Final[Spec] = LIST_PARAMS | {
    "customer": Param(identifier),
    "invoice": Param(identifier),
    "pending": Param(boolean),
}


def check_create(values: dict[str, Any]) -> None:
    """Refuse an item without a price, or with two."""
    check_item(values)


def create_pending(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make an item that waits for an invoice of its customer that takes it in."""
    customer = customers.find(change, values["customer"], param="customer")
    price = values.get("price_data") or {}
    code = values.get("currency") or price.get("currency", ACCOUNT_CURRENCY)
    item = change.create("invoice_items", invoice_lines.new_item(change, customer["id"], code, values))
    emit(change, "invoiceitem.created", item)
    return item


def for_line(change: Change, invoice: JsonObject, values: dict[str, Any]) -> JsonObject:
    """Return an item of an invoice: a new one, or the pending one that is named.

    Raises:
        ApiError: its customer or currency is another than the invoice's, or the pending one does not exist.
    """
    if "invoice_item" in values:
        waiting = find(change, values["invoice_item"], param="invoice_item")
        if waiting["invoice"] is not None:
            raise invalid(f"The invoice item {waiting['id']} is already on an invoice.", param="invoice_item")
        _check_fits(invoice, waiting["customer"], waiting["currency"])
        return put_on(change, waiting, invoice["id"])
    _check_fits(invoice, values.get("customer"), values.get("currency"))
    item = invoice_lines.new_item(change, invoice["customer"], invoice["currency"], values)
    created = change.create("invoice_items", item | {"invoice": invoice["id"]})
    emit(change, "invoiceitem.created", created)
    return created


def put_on(change: Change, item: JsonObject, invoice: str) -> JsonObject:
    """Put an item on an invoice."""
    return change.put("invoice_items", item | {"invoice": invoice})


def pending(change: Change, customer: str, code: str) -> list[JsonObject]:
    """Return what waits for a customer's next invoice in a currency, the newest first."""
    wanted = {"customer": customer, "currency": code, "invoice": None}
    return [
        each
        for each in change.state.newest("invoice_items")
        if all(each[name] == value for name, value in wanted.items())
    ]


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one item.

    Raises:
        ApiError: 404, there is none.
    """
    return find(change, name, param="id", status=NOT_FOUND)


def find(change: Change, name: str, *, param: str, status: int = BAD_REQUEST) -> JsonObject:
    """Return an item that a parameter names.

    Raises:
        ApiError: there is none.
    """
    known = change.get("invoice_items", name)
    if known is None:
        raise missing_resource("Invoice Item", name, param=param, status=status)
    return known


def delete(change: Change, name: str) -> JsonObject:
    """Delete an item that is on no invoice.

    Raises:
        ApiError: there is none, or an invoice has it.
    """
    if retrieve(change, name)["invoice"] is not None:
        raise invalid("Can't delete an invoice item that is attached to an invoice that is no longer editable")
    change.remove("invoice_items", name)
    return {"id": name, "object": "invoiceitem", "deleted": True}


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List items, the newest first, of a customer or an invoice, on an invoice or not."""
    filters = {name: values[name] for name in ("customer", "invoice") if name in values}
    waiting = values.get("pending")

    def matches(item: JsonObject) -> bool:
        if waiting is not None and (item["invoice"] is None) != waiting:
            return False
        return all(item[name] == wanted for name, wanted in filters.items())

    return page(change.state, "invoice_items", values, matches, url="/v1/invoiceitems", noun="Invoice Item")


def _check_fits(invoice: JsonObject, customer: str | None, code: str | None) -> None:
    if customer not in {None, invoice["customer"]}:
        raise invalid(f"The invoice {invoice['id']} belongs to another customer than {customer}.", param="customer")
    if code not in {None, invoice["currency"]}:
        raise invalid(
            f"The currency of the invoice item (`{code}`) does not match that of the invoice "
            f"(`{invoice['currency']}`).",
            param="currency",
        )
