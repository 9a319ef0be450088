"""Fields of which only invoices know: several of a thing."""

from typing import Any, Final

from marshmallow import fields, validate

from ingress.fields import Complaint, Messages, Nested, complaint

_GENERAL: Final[Messages] = {
    "required": Complaint("required", "The field is required."),
    "null": Complaint("null", "The field must not be null."),
}


class Several(fields.List[Any]):
    """A list of so many things of one kind."""

    default_error_messages = _GENERAL | {"invalid": Complaint("not_a_list", "The field must be a list.")}

    def __init__(self, each: Nested, low: int, high: int, **options: Any) -> None:
        super().__init__(each, validate=validate.Length(low, high), **options)
        self._low, self._high = low, high

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> list[Any]:
        if isinstance(value, list):
            self._check(len(value))  # before its things are read, which would take long for a hundred thousand
        return super()._deserialize(value, attr, data, **kwargs)

    def _validate(self, value: Any) -> None:
        """Do nothing: it was counted when it was read."""

    def _check(self, number: int) -> None:
        if number < self._low:
            raise complaint("too_few", f"The list needs at least {self._low}.")
        if number > self._high:
            raise complaint("too_many", f"The list may have at most {self._high}.")
