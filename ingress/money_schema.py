"""What every request has that names a currency: which ones there are, and which of them may be asked for here."""

from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError, validates_schema

from config.currencies import CODES, CURRENCIES, DEFAULT_CODES
from ingress.fields import Complaint, OneOf, StrictSchema


class MoneySchema(StrictSchema):
    """An amount of money is asked for, in one currency.

    Args:
        currencies: those that may be asked for.
    """

    def __init__(self, currencies: Sequence[str] = DEFAULT_CODES, **options: Any) -> None:
        super().__init__(**options)
        self._currencies = currencies

    currency = OneOf(
        CODES,
        "currency_unknown",
        required=True,
        metadata={
            "description": "ISO 4217 in lower case, as Stripe writes it; of these, those that this installation allows",
            "example": "gbp",
        },
    )

    @validates_schema(skip_on_field_errors=False)
    def _currency_is_allowed(self, data: dict[str, Any], **_options: object) -> None:
        currency = data.get("currency")
        if currency in CURRENCIES and currency not in self._currencies:
            message = f"The currency must be one of: {', '.join(self._currencies)}."
            raise ValidationError({"currency": [Complaint("currency_not_allowed", message)]})
