"""Expansion: an id in an answer replaced by the object itself (https://docs.stripe.com/api/expanding_objects)."""

from collections.abc import Sequence
from typing import Final

from sandbox.simulator import invoice_payments
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid
from sandbox.simulator.state import Change

MAX_LEVELS: Final = 4

# Which collection holds what a field names.
EXPANDABLE: Final = {
    "balance_transaction": "balance_transactions",
    "charge": "charges",
    "customer": "customers",
    "default_payment_method": "payment_methods",
    "invoice": "invoices",
    "latest_charge": "charges",
    "payment_intent": "payment_intents",
    "payment_method": "payment_methods",
}
# What moved the balance is told by the first letters of its id.
SOURCES: Final = {"ch": "charges", "re": "refunds", "du": "disputes", "po": "payouts"}


def expanded(change: Change, answer: JsonObject, paths: Sequence[str]) -> JsonObject:
    """Return an answer with the named fields expanded; ``data.`` walks into each object of a list.

    Raises:
        ApiError: a path is too deep, or names a field that holds no expandable id.
    """
    for path in paths:
        parts = path.split(".")
        if len(parts) > MAX_LEVELS:
            raise invalid(
                f"You cannot expand more than {MAX_LEVELS} levels of a property. Property: {path}", param="expand"
            )
        answer = _expand(change, answer, parts, path)
    return answer


def _expand(change: Change, target: JsonObject, parts: Sequence[str], path: str) -> JsonObject:
    name, rest = parts[0], parts[1:]
    if target.get("object") == "list" and name == "data":
        return target | {"data": [_expand(change, each, rest, path) if rest else each for each in target["data"]]}
    if target.get("object") == "charge" and name == "refunds":
        return target | {"refunds": _refunds(change, target["id"])}
    if target.get("object") == "invoice" and name == "payments":
        payments = _payments(change, target["id"])
        return target | {"payments": _expand(change, payments, rest, path) if rest else payments}
    if rest and name not in EXPANDABLE and isinstance(target.get(name), dict):
        return target | {name: _expand(change, target[name], rest, path)}
    collection = SOURCES.get(str(target.get(name)).partition("_")[0]) if name == "source" else EXPANDABLE.get(name)
    if name not in target or (collection is None and target[name] is not None):
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    value = target[name]
    if value is None:
        return target
    known = change.get(collection, value) if isinstance(value, str) and collection else value
    if known is None:
        raise invalid(f"This property cannot be expanded ({path}).", param="expand")
    return target | {name: _expand(change, known, rest, path) if rest else known}


def _payments(change: Change, invoice: str) -> JsonObject:
    data = invoice_payments.of_invoice(change, invoice)
    url = f"/v1/invoice_payments?invoice={invoice}"
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _refunds(change: Change, charge: str) -> JsonObject:
    found = [each for each in change.state.newest("refunds") if each["charge"] == charge]
    return {"object": "list", "data": found, "has_more": False, "url": f"/v1/charges/{charge}/refunds"}
