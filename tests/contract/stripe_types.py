"""Holds JSON against the resource classes of stripe-python: fields known, present where required, of the right type."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import types
import typing
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import stripe
from stripe import ListObject, StripeObject
from stripe._stripe_object import UntypedStripeObject

RESOURCES: dict[str, type[StripeObject]] = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "invoice": stripe.Invoice,
    "invoice_payment": stripe.InvoicePayment,
    "invoiceitem": stripe.InvoiceItem,
    "line_item": stripe.InvoiceLineItem,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "payout": stripe.Payout,
    "radar.early_fraud_warning": stripe.radar.EarlyFraudWarning,
    "refund": stripe.Refund,
    "tax_rate": stripe.TaxRate,
    "webhook_endpoint": stripe.WebhookEndpoint,
}


@dataclass
class Comparison:
    """How many fields were compared, by type, and what did not fit."""

    compared: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.compared.values())

    def resource(self, value: Any, path: str = "", *, partial: bool = False) -> None:
        """Compare an object, list or deleted object with the class that its `object` field names."""
        noun = value.get("object")
        if noun == "list":
            self.hold(value, ListObject[Any], path or "list")
        elif noun in RESOURCES:
            self.fields(value, RESOURCES[noun], path or noun, partial=partial)
        else:
            self.problems.append(f"{path}: no stripe-python class for an object {noun!r}")

    def fields(self, value: Any, kind: type, path: str, *, partial: bool = False) -> None:
        """Compare a JSON object's fields with a class's annotations."""
        if not isinstance(value, dict):
            self.problems.append(f"{path}: {value!r} should be an object of {kind.__qualname__}")
            return
        hints = annotations_of(kind)
        deleted = value.get("deleted") is True
        for name, hint in hints.items():
            if name not in value and not partial and not deleted and not is_optional(hint):
                self.problems.append(f"{path}.{name}: required by {kind.__qualname__} but missing")
        for name, each in value.items():
            if name in hints:
                self.compared[kind.__qualname__] = self.compared.get(kind.__qualname__, 0) + 1
                self.hold(each, hints[name], f"{path}.{name}")
            else:
                self.problems.append(f"{path}.{name}: unknown to {kind.__qualname__}")

    def hold(self, value: Any, hint: Any, path: str) -> None:
        """Compare a value with an annotation."""
        origin, arguments = get_origin(hint), get_args(hint)
        if hint is Any or isinstance(hint, typing.TypeVar):
            if isinstance(value, dict) and "object" in value:
                self.resource(value, path)
        elif origin in {Union, types.UnionType}:
            self.union(value, arguments, path)
        elif origin is Literal:
            self.expect(value in arguments, value, f"one of {len(arguments)} literals", path)
        elif origin in {list, ListObject, UntypedStripeObject}:
            self.container(value, origin, arguments[0], path)
        elif hint is Decimal:
            # Stripe writes decimals as strings; stripe-python reads them.
            self.expect(isinstance(value, str) and value.replace(".", "", 1).isdigit(), value, "a decimal", path)
        elif hint in {str, int, bool, float, type(None)}:
            self.expect(type(value) is hint, value, str(hint), path)
        elif isinstance(hint, type) and issubclass(hint, StripeObject):
            self.fields(value, hint, path)
        else:
            self.problems.append(f"{path}: the annotation {hint!r} could not be resolved")

    def container(self, value: Any, origin: Any, member: Any, path: str) -> None:
        """Compare a list, a list object or a free-form object with the type of its members."""
        wanted = list if origin is list else dict
        self.expect(isinstance(value, wanted), value, f"a {wanted.__name__}", path)
        if not isinstance(value, wanted):
            return
        if origin is list:
            for index, each in enumerate(value):
                self.hold(each, member, f"{path}[{index}]")
        elif origin is ListObject:
            self.list_object(value, member, path)
        else:
            self.untyped(value, member, path)

    def union(self, value: Any, members: tuple[Any, ...], path: str) -> None:
        literals = [each for each in members if get_origin(each) is Literal]
        if isinstance(value, str) and literals:
            # `str` beside literals only says that Stripe may add words; the simulator has to use the known ones.
            members = tuple(literals)
        attempts: list[list[str]] = []
        for member in members:
            attempt = Comparison()
            attempt.hold(value, member, path)
            if not attempt.problems:
                for name, number in attempt.compared.items():
                    self.compared[name] = self.compared.get(name, 0) + number
                return
            attempts.append(attempt.problems)
        fewest: list[str] = min(attempts, key=len)
        self.problems += fewest
        self.problems += [each for problems in attempts for each in problems if "could not be resolved" in each]

    def list_object(self, value: Any, member: Any, path: str) -> None:
        self.expect(value.get("object") == "list", value, "a list object", path)
        self.fields({name: each for name, each in value.items() if name != "object"}, ListObject, path)
        for index, each in enumerate(value["data"]):
            self.hold(each, member, f"{path}.data[{index}]")

    def untyped(self, value: Any, member: Any, path: str) -> None:
        if member is Any and "object" in value:
            self.resource(value, path)
            return
        for name, each in value.items():
            self.hold(each, member, f"{path}.{name}")

    def expect(self, fits: bool, value: Any, wanted: str, path: str) -> None:
        if not fits:
            self.problems.append(f"{path}: {value!r} is not {wanted}")


def is_optional(hint: Any) -> bool:
    return get_origin(hint) in {Union, types.UnionType} and type(None) in get_args(hint)


@cache
def annotations_of(kind: type) -> dict[str, Any]:
    """Return a class's own field annotations with every forward reference resolved."""
    own = {name: each for name, each in inspect.get_annotations(kind).items() if not name.startswith("_")}
    holder = type(kind.__name__, (), {"__annotations__": own, "__module__": kind.__module__})
    hints = typing.get_type_hints(holder, globalns=names_in(kind.__module__))
    return {name: hint for name, hint in hints.items() if get_origin(hint) is not typing.ClassVar}


@cache
def names_in(module_name: str) -> dict[str, Any]:
    """Return a module's names, those that it imports for type checkers only included."""
    module = sys.modules[module_name]
    names = dict(vars(module))
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    for block in tree.body:
        if not (isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)):
            continue
        for statement in block.body:
            if isinstance(statement, ast.ImportFrom) and statement.module and ".params" not in statement.module:
                source = importlib.import_module(statement.module)
                names |= {alias.asname or alias.name: getattr(source, alias.name) for alias in statement.names}
    return names
