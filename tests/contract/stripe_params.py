"""Holds parameters against the TypedDicts of stripe-python: names known, required ones there, values of their type."""

from __future__ import annotations

import inspect
import re
import types
import typing
from functools import cache
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

import typing_extensions
from stripe import RequestOptions, params

from tests.contract.stripe_types import names_in

WRAPPERS = {NotRequired, Required, typing_extensions.NotRequired, typing_extensions.Required}


def problems_of(value: Any, kind: Any, path: str) -> list[str]:
    """Return what of a request's parameters does not fit the type that stripe-python gives them."""
    if not isinstance(value, dict):
        return [f"{path}: {value!r} is no object of {kind.__name__}"]
    hints = hints_of(kind)
    wrong = [f"{path}.{name}: unknown to {kind.__name__}" for name in value if name not in hints]
    wrong += [f"{path}.{name}: missing, required by {kind.__name__}" for name in required_of(kind) - set(value)]
    for name in set(value) & set(hints):
        wrong += misfits(value[name], hints[name], f"{path}.{name}")
    return wrong


def misfits(value: Any, hint: Any, path: str) -> list[str]:
    """Return why a value does not fit an annotation."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        # `str` beside literals only says that Stripe may add words; we use those that are known.
        literals = [each for each in arguments if get_origin(each) is Literal and isinstance(value, str)]
        attempts = [misfits(value, each, path) for each in literals or arguments]
        return [] if [] in attempts else min(attempts, key=len)
    if origin is Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {len(arguments)} words"]
    if origin in {list, dict}:
        return _container(value, origin, arguments[-1], path)
    if typing_extensions.is_typeddict(hint):
        return problems_of(value, hint, path)
    # Of an UntypedStripeObject, stripe-python's other way to write metadata, no plain value is.
    return [] if type(value) is hint else [f"{path}: {value!r} is no {getattr(hint, '__name__', hint)}"]


def _container(value: Any, kind: type, member: Any, path: str) -> list[str]:
    if not isinstance(value, kind):
        return [f"{path}: {value!r} is no {kind.__name__}"]
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return [found for name, each in items for found in misfits(each, member, f"{path}.{name}")]


def params_of(method: Any) -> Any:
    """Return the type of a service method's parameters."""
    [name] = re.findall(r"\w+Params", str(inspect.signature(method).parameters["params"].annotation))
    return getattr(params, name)


@cache
def hints_of(kind: Any) -> dict[str, Any]:
    """Return a TypedDict's own fields, every forward reference resolved."""
    module = names_in(RequestOptions.__module__) | names_in(kind.__module__)
    hints = typing_extensions.get_type_hints(kind, globalns=module, include_extras=True)
    inherited = set() if kind is RequestOptions else set(RequestOptions.__annotations__)
    return {name: _resolved(hint, module) for name, hint in hints.items() if name not in inherited}


def required_of(kind: Any) -> set[str]:
    """Return the fields that must be there."""
    required: frozenset[str] = kind.__required_keys__
    return set(required) & set(hints_of(kind))


def _resolved(hint: Any, module: dict[str, Any]) -> Any:
    """Resolve what stripe-python has put into quotes within quotes, and take away what says that it may be left out."""
    if isinstance(hint, typing.ForwardRef):
        hint = hint.__forward_arg__
    if isinstance(hint, str):
        return _resolved(eval(hint, module), module)  # noqa: S307 - stripe-python's own annotations
    origin, parts = get_origin(hint), tuple(_resolved(each, module) for each in _inner(hint))
    if origin in WRAPPERS:
        return parts[0]
    if origin in {Union, types.UnionType}:
        return Union[parts]  # noqa: UP007 - of any number of parts
    return list[parts[0]] if origin is list else hint  # type: ignore[valid-type]


def _inner(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in {*WRAPPERS, list, Union, types.UnionType} else ()
