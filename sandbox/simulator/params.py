"""Request parameters: Stripe's bracketed form encoding, read against a description, with Stripe's messages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

from sandbox.simulator.errors import invalid

Raw = str | dict[str, "Raw"]
Reader = Callable[[str, Raw], Any]

MAX_DEPTH: Final = 8  # deeper than any parameter of Stripe's that is modelled here
MAX_TEXT: Final = 5000  # Stripe's general limit on a string parameter
MAX_METADATA_KEYS: Final = 50  # https://docs.stripe.com/metadata
MAX_METADATA_KEY: Final = 40
MAX_METADATA_VALUE: Final = 500


@dataclass(frozen=True)
class Param:
    """One parameter: how it is read, and whether a request without it is refused."""

    read: Reader
    required: bool = False


Spec = dict[str, Param]


def decode(encoded: str) -> dict[str, Raw]:
    """Decode ``a=1&b[c]=2&d[]=3&e[0]=4`` into nested mappings; lists become mappings from index to value.

    Raises:
        ApiError: the nesting is too deep, or a name is used both as a value and as a container.
    """
    decoded: dict[str, Raw] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        _place(decoded, _path(name), name, value)
    return decoded


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket or not rest.endswith("]"):
        return [name]
    return [head, *rest[:-1].split("][")]


def _place(target: dict[str, Raw], path: list[str], name: str, value: str) -> None:
    if len(path) > MAX_DEPTH:
        raise invalid(f"Invalid request: the parameter {name[:100]} is nested too deeply", param=path[0])
    for part in path[:-1]:
        inner = target.setdefault(part or str(len(target)), {})
        if isinstance(inner, str):
            raise invalid("Invalid hash", param=path[0])
        target = inner
    last = path[-1] or str(len(target))
    if isinstance(target.get(last), dict):
        raise invalid("Invalid hash", param=path[0])
    target[last] = value


def read(spec: Spec, raw: Mapping[str, Raw], within: str = "") -> dict[str, Any]:
    """Return the typed values of the parameters that were sent.

    Raises:
        ApiError: a parameter is unknown, missing or not what Stripe accepts there.
    """
    values: dict[str, Any] = {}
    for name, given in raw.items():
        full = f"{within}[{name}]" if within else name
        if name not in spec:
            raise invalid(f"Received unknown parameter: {full}", param=full, code="parameter_unknown")
        values[name] = spec[name].read(full, given)
    for name, param in spec.items():
        if param.required and name not in raw:
            full = f"{within}[{name}]" if within else name
            raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    return values


def _word(name: str, raw: Raw, kind: str) -> str:
    if isinstance(raw, dict):
        raise invalid(f"Invalid {kind}: {_shown(raw)}", param=name)
    if raw == "":
        raise invalid(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a "
            "non-empty value.",
            param=name,
            code="parameter_invalid_empty",
        )
    return raw


def _shown(raw: Raw) -> str:
    return str(raw)[:100]


def integer(minimum: int | None = None, maximum: int | None = None) -> Reader:
    """Read a whole number within bounds."""

    def reader(name: str, raw: Raw) -> int:
        word = _word(name, raw, "integer")
        digits = word.removeprefix("-")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:  # noqa: PLR2004  # more would not fit 64 bits
            raise invalid(f"Invalid integer: {word[:100]}", param=name, code="parameter_invalid_integer")
        number = int(word)
        if minimum is not None and number < minimum:
            message = f"This value must be greater than or equal to {minimum}."
            raise invalid(message, param=name, code="parameter_invalid_integer")
        if maximum is not None and number > maximum:
            message = f"This value must be less than or equal to {maximum} (it currently is '{number}')."
            raise invalid(message, param=name, code="parameter_invalid_integer")
        return number

    return reader


def boolean(name: str, raw: Raw) -> bool:
    """Read ``true`` or ``false``."""
    word = _word(name, raw, "boolean")
    if word not in {"true", "false"}:
        raise invalid(f"Invalid boolean: {word[:100]}", param=name)
    return word == "true"


def choice(*options: str) -> Reader:
    """Read one of the given words."""

    def reader(name: str, raw: Raw) -> str:
        word = _word(name, raw, "string")
        if word not in options:
            listed = f"{', '.join(options[:-1])} or {options[-1]}" if len(options) > 1 else options[0]
            raise invalid(f"Invalid {name}: must be one of {listed}", param=name)
        return word

    return reader


def identifier(name: str, raw: Raw) -> str:
    """Read an id, which can't be unset."""
    return _word(name, raw, "string")


def text(maximum: int = MAX_TEXT) -> Reader:
    """Read a string; an empty one unsets the value and reads as None."""

    def reader(name: str, raw: Raw) -> str | None:
        if isinstance(raw, dict):
            raise invalid(f"Invalid string: {_shown(raw)}", param=name)
        if len(raw) > maximum:
            raise invalid(f"Invalid string: {raw[:5]}...{raw[-5:]}; must be at most {maximum} characters", param=name)
        return raw or None

    return reader


def email(name: str, raw: Raw) -> str | None:
    """Read an email address; an empty one unsets it."""
    word = text(512)(name, raw)
    if word is None:
        return None
    local, _, domain = str(word).rpartition("@")
    if not local or "." not in domain or any(character.isspace() for character in str(word)):
        raise invalid(f"Invalid email address: {word}", param=name, code="email_invalid")
    return str(word)


def mapping(spec: Spec) -> Reader:
    """Read a nested hash of described parameters."""

    def reader(name: str, raw: Raw) -> dict[str, Any]:
        if isinstance(raw, str):
            raise invalid("Invalid object", param=name)
        return read(spec, raw, name)

    return reader


def listing(item: Reader) -> Reader:
    """Read a list, sent as ``name[]`` or ``name[0]``."""

    def reader(name: str, raw: Raw) -> list[Any]:
        if isinstance(raw, str):
            raise invalid("Invalid array", param=name)
        return [item(f"{name}[{index}]", value) for index, value in raw.items()]

    return reader


def unsettable(reader: Reader) -> Reader:
    """Read what an empty string unsets, as None."""

    def read_or_unset(name: str, raw: Raw) -> Any:
        return None if raw == "" else reader(name, raw)

    return read_or_unset


def metadata(name: str, raw: Raw) -> dict[str, str] | None:
    """Read metadata; None clears all of it, an empty value removes its key (https://docs.stripe.com/metadata)."""
    if isinstance(raw, str):
        if raw:
            raise invalid("Invalid object", param=name)
        return None
    if len(raw) > MAX_METADATA_KEYS:
        raise invalid(f"You can only have up to {MAX_METADATA_KEYS} metadata keys.", param=name)
    return {key: _metadata_value(name, key, value) for key, value in raw.items()}


def _metadata_value(name: str, key: str, value: Raw) -> str:
    if isinstance(value, dict):
        raise invalid(
            f"Metadata values must be strings, but for key {key} you passed in a value of type object", param=name
        )
    if len(key) > MAX_METADATA_KEY:
        raise invalid(
            f"Metadata keys can have up to {MAX_METADATA_KEY} characters, but you passed in a key that is "
            f"{len(key)} characters. Invalid key: {key}",
            param=name,
        )
    if len(value) > MAX_METADATA_VALUE:
        raise invalid(
            f"Metadata values can have up to {MAX_METADATA_VALUE} characters, but you passed in a value that is "
            f"{len(value)} characters. Invalid value: {value}",
            param=name,
        )
    return value


def merged_metadata(current: dict[str, str], changes: dict[str, str] | None) -> dict[str, str]:
    """Return metadata after an update: keys are added and replaced, empty values remove, None clears."""
    if changes is None:
        return {}
    return {key: value for key, value in (current | changes).items() if value != ""}
