"""Tax rates (https://docs.stripe.com/api/tax_rates): made by hand, or by Stripe out of a line's own tax amounts."""

import json
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import BAD_REQUEST, NOT_FOUND, invalid, missing_resource
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import (
    Param,
    Raw,
    Spec,
    boolean,
    choice,
    identifier,
    listing,
    merged_metadata,
    metadata,
    text,
)
from sandbox.simulator.state import Change

WHOLE: Final = 100  # per cent
FINEST: Final = -4  # at most four decimals

LEVELS: Final = ("city", "country", "county", "district", "multiple", "state")
TYPES: Final = ("gst", "hst", "igst", "jct", "pst", "qst", "rst", "sales_tax", "service_tax", "vat")


def percentage(name: str, raw: Raw) -> float:
    """Read a percentage from 0 to 100 with at most four decimals."""
    word = identifier(name, raw)
    try:
        number = Decimal(word)
    except InvalidOperation as problem:
        raise invalid(f"Invalid decimal: {word[:100]}", param=name) from problem
    exponent = number.as_tuple().exponent
    if not number.is_finite() or not 0 <= number <= WHOLE or int(exponent) < FINEST:
        raise invalid("Tax rates must be between 0 and 100, with at most 4 decimal places.", param=name)
    return float(number)


DETAILS: Final[Spec] = {
    "country": Param(text()),
    "description": Param(text()),
    "jurisdiction": Param(text()),
    "state": Param(text()),
    "tax_type": Param(choice(*TYPES)),
}
DATA: Final[Spec] = DETAILS | {
    "display_name": Param(identifier, required=True),
    "inclusive": Param(boolean, required=True),
    "percentage": Param(percentage, required=True),
    "jurisdiction_level": Param(choice(*LEVELS)),
}
WRITE: Final[Spec] = {"active": Param(boolean), "metadata": Param(metadata), "expand": Param(listing(identifier))}
CREATE: Final[Spec] = {name: param for name, param in DATA.items() if name != "jurisdiction_level"} | WRITE
UPDATE: Final[Spec] = DETAILS | WRITE | {"display_name": Param(identifier)}
LIST: Final[Spec] = LIST_PARAMS | {"active": Param(boolean), "inclusive": Param(boolean)}


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make a tax rate."""
    return change.create("tax_rates", _new(change, values))


def of_data(change: Change, data: dict[str, Any]) -> JsonObject:
    """Return the archived rate that Stripe keeps for exactly such data, made if it is the first time."""
    key = json.dumps(data, sort_keys=True)
    known = change.get("tax_rate_data", key)
    if known is not None:
        return find(change, known["tax_rate"], param="tax_rate")
    rate = change.create("tax_rates", _new(change, data | {"active": False}))
    change.put("tax_rate_data", {"id": key, "tax_rate": rate["id"]})
    return rate


def update(change: Change, name: str, values: dict[str, Any]) -> JsonObject:
    """Change what may still be changed of a rate: never its percentage."""
    before = retrieve(change, name)
    after = before | {key: value for key, value in values.items() if key not in {"expand", "metadata"}}
    if "metadata" in values:
        after["metadata"] = merged_metadata(before["metadata"], values["metadata"])
    return change.put("tax_rates", after)


def retrieve(change: Change, name: str) -> JsonObject:
    """Return one rate.

    Raises:
        ApiError: 404, there is none.
    """
    return find(change, name, param="tax_rate", status=NOT_FOUND)


def find(change: Change, name: str, *, param: str, status: int = BAD_REQUEST) -> JsonObject:
    """Return a rate that a parameter names.

    Raises:
        ApiError: there is none.
    """
    known = change.get("tax_rates", name)
    if known is None:
        raise missing_resource("tax rate", name, param=param, status=status)
    return known


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List rates, the newest first."""
    filters = {name: values[name] for name in ("active", "inclusive") if name in values}

    def matches(rate: JsonObject) -> bool:
        return all(rate[name] == wanted for name, wanted in filters.items())

    return page(change.state, "tax_rates", values, matches, url="/v1/tax_rates", noun="tax rate")


def _new(change: Change, values: dict[str, Any]) -> JsonObject:
    return {
        "id": change.identifiers.new("txr"),
        "object": "tax_rate",
        "active": values.get("active", True),
        "country": values.get("country"),
        "created": change.clock.now(),
        "description": values.get("description"),
        "display_name": values["display_name"],
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": values["inclusive"],
        "jurisdiction": values.get("jurisdiction"),
        "jurisdiction_level": values.get("jurisdiction_level"),
        "livemode": False,
        "metadata": merged_metadata({}, values.get("metadata")),
        "percentage": values["percentage"],
        "rate_type": "percentage",
        "state": values.get("state"),
        "tax_type": values.get("tax_type"),
    }
