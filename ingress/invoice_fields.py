"""Fields of which only invoices know: whole numbers within bounds, days, and several of a thing."""

import datetime as dt
import re
from typing import Any, Final

from marshmallow import fields, validate

from ingress.fields import Complaint, Messages, Nested, Text, complaint

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)  # RFC 3339, section 5.6: full-date
_GENERAL: Final[Messages] = {
    "required": Complaint("required", "The field is required."),
    "null": Complaint("null", "The field must not be null."),
}


class Day(fields.String):
    """A day, as `YYYY-MM-DD`."""

    default_error_messages = Text.default_error_messages

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        day = super()._deserialize(value, attr, data, **kwargs)
        try:
            if _DAY.fullmatch(day):
                return dt.date.fromisoformat(day).isoformat()
        except ValueError:
            pass  # the thirtieth of February; what is no day at all is told of alike
        raise complaint("not_a_day", "The field must be a day, written as YYYY-MM-DD.")


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
