"""What the schemas of answers are made of."""

from typing import Any

from marshmallow import INCLUDE, Schema, fields, validate


def text(description: str, example: str | None = None, **options: Any) -> fields.String:
    """Return a field that holds text, and is always there."""
    shown = {"description": description} | ({} if example is None else {"example": example})
    return fields.String(required=True, metadata=shown, **options)


def minor_units(description: str) -> fields.Integer:
    """Return a field that holds an amount of money, and is always there."""
    return fields.Integer(required=True, strict=True, metadata={"description": f"{description}, in minor units"})


def moment(description: str) -> fields.String:
    """Return a field that holds a time, and is always there."""
    return fields.String(
        required=True, metadata={"description": f"{description} (RFC 3339, UTC)", "format": "date-time"}
    )


def condition(description: str) -> fields.String:
    """Return a field that holds how a part of the system is."""
    return text(f"{description}: `up`, `away` or `unknown`", validate=validate.OneOf(("up", "away", "unknown")))


class Answer(Schema):
    """What is answered; may gain fields, so a client must not refuse those it does not know."""

    class Meta:
        """Says so in the document."""

        unknown = INCLUDE


def moment_or_null(description: str) -> fields.String:
    """Return a field that holds a time, or null."""
    shown = {"description": f"{description} (RFC 3339, UTC)", "format": "date-time"}
    return fields.String(required=True, allow_none=True, metadata=shown)
