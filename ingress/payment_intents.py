"""What a payment intent may ask for."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from config.currencies import CURRENCIES, DEFAULT_CODES, MAXIMUM_AMOUNT, amount_flaw
from ingress.fields import (
    FIT,
    Complaint,
    Email,
    Flag,
    IpAddress,
    Messages,
    MinorUnits,
    Nested,
    OneOf,
    StrictSchema,
    Text,
)
from ingress.money_schema import MoneySchema
from ingress.seat_hold import ON_DUPLICATE, SeatHoldSchema, hold_fields
from tasks.contracts.payments import CreatePayment

_MINIMUMS = ", ".join(f"{CURRENCIES[code].minimum} in {code}" for code in DEFAULT_CODES)
MAXIMUM_METADATA = 20  # Stripe holds 50 keys; the rest are ours
METADATA_NAME = 40  # characters, Stripe's
METADATA_VALUE = 500  # characters, Stripe's
MAXIMUM_BOOKING = 64  # characters
BOOKING = r"[A-Za-z0-9][A-Za-z0-9 ._:/#-]*"
BOOKING_IN_WORDS = "letters, digits, spaces and . _ : / # -, and must begin with a letter or digit"
NULL: Messages = {"null": Complaint("null", "The field must not be null.")}
IP_FORMATS = [{"format": "ipv4"}, {"format": "ipv6"}]
CAPTURE_METHODS = ("automatic", "manual")
RESERVED = "tollgate_"  # our own metadata begins so


class CustomerSchema(StrictSchema):
    """Who pays."""

    name = Text(1, 200, required=True, metadata={"example": "Ada Lovelace"})
    email = Email(required=True, metadata={"example": "ada@example.org"})


class ShopperSchema(StrictSchema):
    """Where the shopper's request came from; helps to tell fraud."""

    ip = IpAddress(
        required=True, metadata={"description": "IPv4 or IPv6", "example": "203.0.113.7", "anyOf": IP_FORMATS}
    )
    user_agent = Text(1, 512, required=True, metadata={"example": "Mozilla/5.0"})


class Metadata(fields.Dict):
    """Up to 20 texts by name, kept with the payment at Stripe."""

    default_error_messages = NULL

    def __init__(self, **options: Any) -> None:
        super().__init__(
            keys=fields.String(validate=validate.Length(1, METADATA_NAME)),
            values=fields.String(validate=[validate.Length(max=METADATA_VALUE), validate.Regexp(f"^(?:{FIT})$")]),
            **options,
        )

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> dict[str, str]:  # noqa: ARG002 - marshmallow's signature
        if not isinstance(value, dict):
            raise ValidationError(Complaint("not_an_object", "The field must be an object of texts."))
        if len(value) > MAXIMUM_METADATA:
            raise ValidationError(Complaint("too_many", f"At most {MAXIMUM_METADATA} entries are kept."))
        wrong = {name: found for name, entry in value.items() if (found := _metadata_flaw(name, entry))}
        if wrong:
            raise ValidationError({name: [found] for name, found in wrong.items()})
        return dict(value)

    def _validate(self, value: Any) -> None:
        """Do nothing: each entry was checked, with its name, when it was read."""


def _metadata_flaw(name: str, entry: object) -> Complaint | None:
    if name.lower().startswith(RESERVED):
        return Complaint("reserved", f"Names that begin with {RESERVED} are kept for Tollgate.")
    if not 1 <= len(name) <= METADATA_NAME or "[" in name or "]" in name:  # Stripe's form encoding uses the brackets
        return Complaint("unfit_name", f"A name has 1 to {METADATA_NAME} characters and no square brackets.")
    if not isinstance(entry, str):
        return Complaint("not_text", "The field must be text.")
    if len(entry) > METADATA_VALUE:
        return Complaint("too_long", f"The field may have at most {METADATA_VALUE} characters.")
    return None


class PaymentIntentSchema(MoneySchema):
    """A payment to be made for one booking.

    Args:
        currencies: those that may be asked for.
    """

    amount = MinorUnits(
        MAXIMUM_AMOUNT,
        required=True,
        metadata={"description": f"Minor units (pence). At least {_MINIMUMS}.", "example": 4950},
    )
    booking_reference = Text(
        1,
        MAXIMUM_BOOKING,
        pattern=BOOKING,
        allowed=BOOKING_IN_WORDS,
        required=True,
        metadata={"example": "BK-2026-0117"},
    )
    customer = Nested(CustomerSchema, required=True)
    description = Text(1, 500, allow_none=True, metadata={"example": "First aid at work, 12 March"})
    metadata = Metadata(metadata={"maxProperties": MAXIMUM_METADATA, "example": {"course": "first-aid"}})
    shopper = Nested(ShopperSchema, required=True)
    capture = OneOf(
        CAPTURE_METHODS,
        "capture_unknown",
        metadata={
            "description": "`automatic`, or `manual`: the card's bank holds the amount until you capture it, or a part "
            "of it, within some seven days",
            "example": "automatic",
        },
    )
    save_card = Flag(metadata={"description": "Keep the card for later payments while the customer is away"})
    off_session = Flag(
        metadata={
            "description": "Charge the customer's saved card at once; they are not there. If their bank wants to ask "
            "them, the payment becomes `requires_action`: bring them back, with the client secret"
        }
    )
    receipt = Flag(metadata={"description": "Have Stripe send a receipt to the customer's address"})
    seat_hold = Nested(SeatHoldSchema)
    on_duplicate = OneOf(
        ON_DUPLICATE,
        "on_duplicate_unknown",
        metadata={
            "description": "While the booking has another live payment, `refuse` this one or `flag` both, the default. "
            "A live one may still take money, or holds some",
        },
    )

    @validates_schema(skip_on_field_errors=False)
    def _amount_fits_its_currency(self, data: dict[str, Any], **_options: object) -> None:
        amount, currency = data.get("amount", 0), data.get("currency", "")
        if currency not in CURRENCIES or not 1 <= amount <= MAXIMUM_AMOUNT:
            return  # the fields have complained themselves
        flaw = amount_flaw(amount, currency)
        if flaw is not None:
            raise ValidationError({"amount": [Complaint(flaw.code, flaw.words)]})

    @validates_schema(skip_on_field_errors=False)
    def _card_is_saved_by_whoever_is_there(self, data: dict[str, Any], **_options: object) -> None:
        if data.get("save_card") is True and data.get("off_session") is True:
            message = "An off-session payment is made with a card that is saved already."
            raise ValidationError({"save_card": [Complaint("contradiction", message)]})


def payment_contract(payment_id: str, asked: dict[str, Any]) -> CreatePayment:
    """Return the job for what was asked."""
    customer, shopper = asked["customer"], asked["shopper"]
    return CreatePayment(
        payment_id=payment_id,
        amount=asked["amount"],
        currency=asked["currency"],
        booking_reference=asked["booking_reference"],
        customer_name=customer["name"],
        customer_email=customer["email"],
        description=asked.get("description"),
        metadata=asked.get("metadata", {}),
        shopper_ip=shopper["ip"],
        shopper_user_agent=shopper["user_agent"],
        capture_method=asked.get("capture", CAPTURE_METHODS[0]),
        save_card=asked.get("save_card", False),
        off_session=asked.get("off_session", False),
        receipt=asked.get("receipt", False),
        **hold_fields(asked),
    )
