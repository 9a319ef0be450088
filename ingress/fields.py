"""Schema fields whose complaints carry a code, and which take no value for what it nearly is.

marshmallow's own fields read `true` as 1 and `1.0` as 1; money must not.
"""

import datetime as dt
import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from marshmallow import Schema, ValidationError, fields, validate

from ingress.json_body import pointer
from ingress.problems import FieldError, ProblemError


class Complaint(str):
    """A message with a code; a string, as marshmallow expects."""

    __slots__ = ("code",)

    code: str

    def __new__(cls, code: str, message: str) -> Self:
        """Make the message and note its code."""
        complaint = super().__new__(cls, message)
        complaint.code = code
        return complaint

    def format(self, *_args: object, **_values: object) -> "Complaint":
        """Keep the code: marshmallow formats every message, and these are written out already."""
        return self


def complaint(code: str, message: str) -> ValidationError:
    """Return the error for one field."""
    return ValidationError(Complaint(code, message))


Messages = dict[str, str | list[Any] | dict[Any, Any]]
_GENERAL: Messages = {
    "required": Complaint("required", "The field is required."),
    "null": Complaint("null", "The field must not be null."),
}
_NOT_INTEGER: Messages = _GENERAL | {"invalid": Complaint("not_an_integer", "The field must be a whole number.")}
_NOT_EMAIL: Messages = _GENERAL | {"invalid": Complaint("not_an_email", "The field must be an e-mail address.")}
_NOT_OBJECT: Messages = _GENERAL | {"type": Complaint("not_an_object", "The field must be an object.")}
_STRICT: dict[str, str] = {
    "unknown": Complaint("unknown_field", "There is no such field."),
    "type": Complaint("not_an_object", "The field must be an object."),
}
_NOT_TEXT: Messages = _GENERAL | {"invalid": Complaint("not_text", "The field must be text.")}


_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)  # RFC 3339, section 5.6: full-date

# As a pattern of JSON Schema: text without control characters, line separators and bidirectional overrides.
FIT = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff]*"
# The same, but with tabs and line breaks.
FIT_LINES = FIT.replace(r"\u0000-\u001f", r"\u0000-\u0008\u000b-\u001f")


class Text(fields.String):
    """Text of a limited length, and of limited characters if a pattern is given.

    Args:
        low: fewest characters, after leaving out spaces around.
        high: most characters.
        pattern: what all of the text must match.
        allowed: the pattern in words.
    """

    default_error_messages = _NOT_TEXT

    def __init__(self, low: int, high: int, *, pattern: str = "", allowed: str = "", **options: Any) -> None:
        # For the document alone: `_validate` and the reading of the body say in words what is wrong.
        rules: list[validate.Validator] = [validate.Length(low, high), validate.Regexp(f"^(?:{pattern or FIT})$")]
        super().__init__(validate=rules, **options)
        self._low, self._high = low, high
        self._pattern, self._allowed = re.compile(pattern) if pattern else None, allowed

    def _validate(self, value: Any) -> None:
        if len(value.strip()) < self._low:
            raise complaint("too_short", f"The field needs at least {self._low} characters.")
        if len(value) > self._high:
            raise complaint("too_long", f"The field may have at most {self._high} characters.")
        if self._pattern is not None and not self._pattern.fullmatch(value):
            raise complaint("unfit_text", f"The field may only hold {self._allowed}.")


class Whole(fields.Integer):
    """A whole number within bounds, both included."""

    default_error_messages = _NOT_INTEGER

    def __init__(self, low: int, high: int, **options: Any) -> None:
        super().__init__(strict=True, validate=validate.Range(low, high), **options)
        self._low, self._high = low, high

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:  # noqa: ARG002 - marshmallow's signature
        if type(value) is not int:  # bool is a kind of int
            raise self.make_error("invalid")
        return value

    def _validate(self, value: Any) -> None:
        if not self._low <= value <= self._high:
            raise complaint("not_in_range", f"The number must be from {self._low} to {self._high}.")


class MinorUnits(Whole):
    """A whole number of a currency's minor units (pence for GBP), above zero."""

    def __init__(self, high: int, **options: Any) -> None:
        super().__init__(1, high, **options)

    def _validate(self, value: Any) -> None:
        if value < self._low:
            raise complaint("amount_too_small", "The amount must be above zero.")
        if value > self._high:
            raise complaint("amount_too_large", f"The amount must not be above {self._high}.")


class OneOf(fields.String):
    """One of a few words."""

    default_error_messages = _NOT_TEXT

    def __init__(self, words: tuple[str, ...], code: str, **options: Any) -> None:
        super().__init__(validate=validate.OneOf(words), **options)
        self._words, self._code = words, code

    def _validate(self, value: Any) -> None:
        if value not in self._words:
            raise complaint(self._code, f"The field must be one of: {', '.join(self._words)}.")


class Flag(fields.Boolean):
    """true or false, and nothing that is nearly one of them."""

    default_error_messages = _GENERAL | {"invalid": Complaint("not_a_boolean", "The field must be true or false.")}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:  # noqa: ARG002 - marshmallow's signature
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Email(fields.Email):
    """An e-mail address of at most 254 characters (RFC 5321 leaves no more for one)."""

    MAXIMUM = 254
    default_error_messages = _GENERAL | {"invalid": Complaint("not_an_email", "The field must be an e-mail address.")}

    def __init__(self, **options: Any) -> None:
        super().__init__(validate=validate.Length(max=self.MAXIMUM), **options)
        self._address = validate.Email()

    def _validate(self, value: Any) -> None:
        if len(value) > self.MAXIMUM:
            raise complaint("too_long", f"The field may have at most {self.MAXIMUM} characters.")
        try:
            self._address(value)
        except ValidationError:
            raise self.make_error("invalid") from None


class IpAddress(fields.String):
    """An IPv4 or IPv6 address, in its canonical form once read."""

    default_error_messages = _NOT_TEXT

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            address = None
        if address is None or "%" in text:  # a zone means something on its own machine only
            raise complaint("not_an_ip_address", "The field must be an IPv4 or IPv6 address.")
        return str(address)


class Day(fields.String):
    """A day, as `YYYY-MM-DD`."""

    default_error_messages = _NOT_TEXT

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        day = super()._deserialize(value, attr, data, **kwargs)
        try:
            if _DAY.fullmatch(day):
                return dt.date.fromisoformat(day).isoformat()
        except ValueError:
            pass  # the thirtieth of February; what is no day at all is told of alike
        raise complaint("not_a_day", "The field must be a day, written as YYYY-MM-DD.")


class Nested(fields.Nested):
    """An object within the body."""

    default_error_messages = _GENERAL | {"type": Complaint("not_an_object", "The field must be an object.")}


class StrictSchema(Schema):
    """An object without unknown fields."""

    error_messages = _STRICT


def load(schema: Schema, document: Mapping[str, Any]) -> dict[str, Any]:
    """Check a document against a schema and return what it holds.

    Raises:
        ProblemError: `validation_failed`, naming every field that is wrong.
    """
    try:
        loaded: dict[str, Any] = schema.load(document)
    except ValidationError as error:
        errors = sorted(_named(error.messages, ()), key=lambda wrong: wrong.field)
        raise ProblemError("validation_failed", _summary(errors), errors=errors) from None
    return loaded


def _named(messages: Any, path: tuple[str, ...]) -> Iterator[FieldError]:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _named(inner, path if name == "_schema" else (*path, str(name)))
    elif isinstance(messages, list):
        for message in messages:
            yield from _named(message, path)
    else:
        yield FieldError(pointer(*path), getattr(messages, "code", "invalid"), str(messages))


def _summary(errors: list[FieldError]) -> str:
    names = ", ".join(dict.fromkeys(error.field or "the body" for error in errors))
    return f"Not acceptable: {names}."
