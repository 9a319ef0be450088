"""Customers (https://docs.stripe.com/api/customers)."""

from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import BAD_REQUEST, NOT_FOUND, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import (
    Param,
    Spec,
    email,
    identifier,
    listing,
    mapping,
    merged_metadata,
    metadata,
    text,
)
from sandbox.simulator.payment_methods import ADDRESS
from sandbox.simulator.state import Change

NAME_LENGTH: Final = 256
DESCRIPTION_LENGTH: Final = 350
PHONE_LENGTH: Final = 20
PREFIX_LENGTH: Final = 8  # of the numbers of a customer's invoices

SHIPPING: Final[Spec] = {
    "address": Param(mapping(ADDRESS), required=True),
    "name": Param(text(), required=True),
    "phone": Param(text()),
}
WRITE: Final[Spec] = {
    "address": Param(mapping(ADDRESS)),
    "description": Param(text(DESCRIPTION_LENGTH)),
    "email": Param(email),
    "metadata": Param(metadata),
    "name": Param(text(NAME_LENGTH)),
    "phone": Param(text(PHONE_LENGTH)),
    "preferred_locales": Param(listing(identifier)),
    "shipping": Param(mapping(SHIPPING)),
    "expand": Param(listing(identifier)),
}
LIST: Final[Spec] = LIST_PARAMS | {"email": Param(text(512))}


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make a customer."""
    new: JsonObject = {
        "id": change.identifiers.new("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": change.clock.now(),
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": change.identifiers.letters(PREFIX_LENGTH).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    customer = change.create("customers", new | _written(new, values))
    emit(change, "customer.created", customer)
    return customer


def update(change: Change, customer: str, values: dict[str, Any]) -> JsonObject:
    """Change a customer's details; what is not named stays."""
    before = retrieve(change, customer)
    after = change.put("customers", before | _written(before, values))
    if after != before:
        emit(change, "customer.updated", after, before)
    return after


def retrieve(change: Change, customer: str) -> JsonObject:
    """Return one customer.

    Raises:
        ApiError: 404, there is none.
    """
    return find(change, customer, param="id", status=NOT_FOUND)


def find(change: Change, customer: str, *, param: str, status: int = BAD_REQUEST) -> JsonObject:
    """Return a customer that a parameter names.

    Raises:
        ApiError: there is none.
    """
    known = change.get("customers", customer)
    if known is None:
        raise missing_resource("customer", customer, param=param, status=status)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List customers, the newest first; ``email`` matches exactly, with its case."""
    wanted = values.get("email")

    def matches(customer: JsonObject) -> bool:
        return wanted is None or customer["email"] == wanted

    return page(change.state, "customers", values, matches, url="/v1/customers", noun="customer")


def add_balance(change: Change, customer: str, amount: int) -> None:
    """Let a customer owe so many minor units more at their next invoice; less than nothing is a credit."""
    before = find(change, customer, param="customer")
    after = change.put("customers", before | {"balance": before["balance"] + amount})
    emit(change, "customer.updated", after, before)


def next_invoice_number(change: Change, customer: str) -> str:
    """Take the next number of a customer's invoices, such as ``AB12CD34-0001``; none is left out or used twice."""
    before = find(change, customer, param="customer")
    taken = before["next_invoice_sequence"]
    change.put("customers", before | {"next_invoice_sequence": taken + 1})
    return f"{before['invoice_prefix']}-{taken:04d}"


def _written(current: JsonObject, values: dict[str, Any]) -> JsonObject:
    changes = {name: value for name, value in values.items() if name not in {"expand", "metadata"}}
    if changes.get("address"):
        changes["address"] = {name: changes["address"].get(name) for name in ADDRESS}
    if "shipping" in changes:
        changes["shipping"] = shipping(changes)
    if "metadata" in values:
        changes["metadata"] = merged_metadata(current["metadata"], values["metadata"])
    return changes


def shipping(values: dict[str, Any]) -> JsonObject | None:
    """Return complete shipping details from the ones that were given, or None."""
    given = values.get("shipping")
    if given is None:
        return None
    address = {name: given["address"].get(name) for name in ADDRESS}
    return {"phone": None, **given, "address": address}
