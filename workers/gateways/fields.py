"""Fields of Stripe's objects: what is read must be there and of its type; anything else is a ContractError."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from config.errors import ContractError

LARGEST_AMOUNT: Final = 2**63 - 1  # what PostgreSQL's bigint holds


def require(fields: object, kind: str) -> None:
    """Raise ContractError unless these are the fields of an object of that kind."""
    if not isinstance(fields, Mapping) or fields.get("object") != kind:
        found = fields.get("object") if isinstance(fields, Mapping) else type(fields).__name__
        raise ContractError(f"expected Stripe's {kind}, found {str(found)[:40]!r}")


def wrong(name: str, expected: str, value: object) -> ContractError:
    """Return the error for a field that is not as expected; names the field, and never its value."""
    return ContractError(f"Stripe's field {name!r} is no {expected} but {type(value).__name__}")


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return printable text; raises ContractError if it is none, as all of these do."""
    value = fields.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise wrong(name, "printable text", value)
    return value


def text_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    """Return printable text, or None if there is nothing."""
    return None if fields.get(name) is None else text(fields, name)


def words_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    """Return text meant for people, which may hold any character and is never stored."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def whole(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    """Return a whole number that can be stored, or the default if there is nothing."""
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST_AMOUNT:
        raise wrong(name, "whole number that can be stored", value)
    return value


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """Return a boolean; nothing is False."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise wrong(name, "boolean", value)
    return bool(value)


def mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object's fields; nothing is an empty one."""
    value = fields.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise wrong(name, "object", value)
    return value or {}


def id_of(fields: Mapping[str, Any], name: str) -> str | None:
    """Return an object's id, whether Stripe expanded the object or gave the id alone."""
    value = fields.get(name)
    return text(value, "id") if isinstance(value, Mapping) else text_or_none(fields, name)


def instant(fields: Mapping[str, Any], name: str) -> datetime:
    """Return a time, UTC."""
    try:
        return datetime.fromtimestamp(whole(fields, name), UTC)
    except (OverflowError, OSError, ValueError):
        raise wrong(name, "time", fields.get(name)) from None
