"""Stripe's objects as Tollgate reads them: plain frozen data from an API answer or from a webhook's body alike.

Unknown fields are ignored, so that a newer API version does no harm; what is read must be there and of its type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from config.errors import ContractError
from workers.gateways.operations import OPERATION_METADATA

T = TypeVar("T")
LARGEST_AMOUNT = 2**63 - 1  # what PostgreSQL's bigint holds


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What Stripe answered.

    Args:
        value: the object, or what was asked for of it.
        request_id: Stripe's `Request-Id`, for its dashboard and its support.
        replayed: whether this is the stored answer to an earlier request with the same idempotency key. Its value is
            then as old as that request.
        as_of: since when the value is known to hold, UTC: Stripe's `Date`, in whole seconds; for a replayed answer the
            object's creation, since later changes are not in it.
    """

    value: T
    request_id: str | None
    replayed: bool
    as_of: datetime


@dataclass(frozen=True, slots=True)
class PaymentIntentSnapshot:
    """A PaymentIntent (https://docs.stripe.com/api/payment_intents/object); amounts in the currency's minor unit.

    `charge_created`, `amount_refunded` and `disputed` are None when the charge was not expanded, so that they are not
    known; without any charge the last two are 0 and False. Likewise only an expanded charge tells until when its bank
    holds the amount. The decline is that of the last attempt to pay, if it failed.
    """

    id: str
    status: str
    amount: int
    amount_received: int
    amount_capturable: int
    currency: str
    client_secret: str | None = field(repr=False)
    customer_id: str | None
    charge_id: str | None
    charge_created: datetime | None
    amount_refunded: int | None
    disputed: bool | None
    decline_code: str | None
    decline_message: str | None
    operation: str | None
    created: datetime
    capture_before: datetime | None = None
    description: str | None = field(default=None, repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ChargeSnapshot:
    """A charge (https://docs.stripe.com/api/charges/object); amounts in the currency's minor unit.

    `held` says that the bank holds the amount and nobody has captured or released it; `capture_before`, until when.
    """

    id: str
    payment_intent_id: str | None
    status: str
    amount: int
    amount_captured: int
    amount_refunded: int
    currency: str
    disputed: bool
    operation: str | None
    decline_code: str | None
    created: datetime
    held: bool = False
    capture_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class SavedCard:
    """A card that is kept for a customer (https://docs.stripe.com/api/payment_methods/object)."""

    id: str
    expires: tuple[int, int]
    created: datetime


@dataclass(frozen=True, slots=True)
class RefundSnapshot:
    """A refund (https://docs.stripe.com/api/refunds/object); amounts in the currency's minor unit.

    `charge` is None when it was not expanded. The reason may be one of Stripe's own, besides those that can be asked.
    """

    id: str
    status: str
    amount: int
    currency: str
    payment_intent_id: str | None
    charge: ChargeSnapshot | None
    reason: str | None
    failure_reason: str | None
    operation: str | None
    created: datetime


def payment_intent_snapshot(fields: Mapping[str, Any]) -> PaymentIntentSnapshot:
    """Read a PaymentIntent.

    Raises:
        ContractError: the fields are not those of a PaymentIntent; names the field.
    """
    _require(fields, "payment_intent")
    charge = fields.get("latest_charge")
    refunded, disputed = _charge_facts(charge)
    decline = _mapping(fields, "last_payment_error")
    return PaymentIntentSnapshot(
        id=_text(fields, "id"),
        status=_text(fields, "status"),
        amount=_whole(fields, "amount"),
        amount_received=_whole(fields, "amount_received", 0),
        amount_capturable=_whole(fields, "amount_capturable", 0),
        currency=_text(fields, "currency"),
        client_secret=_text_or_none(fields, "client_secret"),
        customer_id=_id_of(fields, "customer"),
        charge_id=_id_of(fields, "latest_charge"),
        charge_created=_instant(charge, "created") if isinstance(charge, Mapping) else None,
        amount_refunded=refunded,
        disputed=disputed,
        decline_code=_text_or_none(decline, "decline_code") or _text_or_none(decline, "code"),
        decline_message=_words_or_none(decline, "message"),
        operation=_text_or_none(_mapping(fields, "metadata"), OPERATION_METADATA),
        created=_instant(fields, "created"),
        capture_before=_capture_before(charge),
        description=_words_or_none(fields, "description"),
        metadata={name: str(value) for name, value in _mapping(fields, "metadata").items()},
    )


def charge_snapshot(fields: Mapping[str, Any]) -> ChargeSnapshot:
    """Read a charge.

    Raises:
        ContractError: the fields are not those of a charge; names the field.
    """
    _require(fields, "charge")
    status = _text(fields, "status")
    # `outcome.reason` of a charge that succeeded tells of its risk, not of a decline.
    reason = _text_or_none(_mapping(fields, "outcome"), "reason") if status == "failed" else None
    return ChargeSnapshot(
        id=_text(fields, "id"),
        payment_intent_id=_id_of(fields, "payment_intent"),
        status=status,
        amount=_whole(fields, "amount"),
        amount_captured=_whole(fields, "amount_captured", 0),
        amount_refunded=_given_back(fields),
        currency=_text(fields, "currency"),
        disputed=_flag(fields, "disputed"),
        operation=_text_or_none(_mapping(fields, "metadata"), OPERATION_METADATA),
        decline_code=reason or _text_or_none(fields, "failure_code"),
        created=_instant(fields, "created"),
        held=status == "succeeded" and not _flag(fields, "captured") and not _flag(fields, "refunded"),
        capture_before=_capture_before(fields),
    )


def saved_card_snapshots(fields: Mapping[str, Any]) -> Sequence[SavedCard]:
    """Read a list of payment methods, all of them cards; the newest first, as Stripe lists them.

    Raises:
        ContractError: the fields are not those of such a list; names the field.
    """
    found = fields.get("data")
    if not isinstance(found, list):
        raise _wrong("data", "list", found)
    return [_saved_card(each) for each in found]


def _saved_card(fields: Mapping[str, Any]) -> SavedCard:
    _require(fields, "payment_method")
    card = _mapping(fields, "card")
    expires = (_whole(card, "exp_year"), _whole(card, "exp_month"))
    return SavedCard(_text(fields, "id"), expires, _instant(fields, "created"))


def _capture_before(charge: object) -> datetime | None:
    """Return until when a charge's bank holds its amount; None if it does not say, or the charge was not expanded."""
    if not isinstance(charge, Mapping):
        return None
    card = _mapping(_mapping(charge, "payment_method_details"), "card")
    return None if card.get("capture_before") is None else _instant(card, "capture_before")


def refund_snapshot(fields: Mapping[str, Any]) -> RefundSnapshot:
    """Read a refund.

    Raises:
        ContractError: the fields are not those of a refund; names the field.
    """
    _require(fields, "refund")
    charge = fields.get("charge")
    return RefundSnapshot(
        id=_text(fields, "id"),
        status=_text(fields, "status"),
        amount=_whole(fields, "amount"),
        currency=_text(fields, "currency"),
        payment_intent_id=_id_of(fields, "payment_intent"),
        charge=charge_snapshot(charge) if isinstance(charge, Mapping) else None,
        reason=_text_or_none(fields, "reason"),
        failure_reason=_text_or_none(fields, "failure_reason"),
        operation=_text_or_none(_mapping(fields, "metadata"), OPERATION_METADATA),
        created=_instant(fields, "created"),
    )


def _charge_facts(charge: object) -> tuple[int | None, bool | None]:
    """Return (amount refunded, disputed) of a PaymentIntent's `latest_charge`: absent, an id, or the charge itself."""
    if charge is None:
        return 0, False
    if isinstance(charge, Mapping):
        return _given_back(charge), _flag(charge, "disputed")
    return None, None


def _given_back(charge: Mapping[str, Any]) -> int:
    """Return what was refunded of what was captured.

    Stripe counts what a partial capture or a cancellation releases as refunded, too; that money never moved.
    """
    released = _whole(charge, "amount") - _whole(charge, "amount_captured", 0)
    return max(0, _whole(charge, "amount_refunded", 0) - released)


def _require(fields: object, kind: str) -> None:
    if not isinstance(fields, Mapping) or fields.get("object") != kind:
        found = fields.get("object") if isinstance(fields, Mapping) else type(fields).__name__
        raise ContractError(f"expected Stripe's {kind}, found {str(found)[:40]!r}")


def _wrong(name: str, expected: str, value: object) -> ContractError:
    return ContractError(f"Stripe's field {name!r} is no {expected} but {type(value).__name__}")


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise _wrong(name, "printable text", value)
    return value


def _text_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else _text(fields, name)


def _words_or_none(fields: Mapping[str, Any], name: str) -> str | None:
    """Return text meant for people, which may hold any character and is never stored."""
    value = fields.get(name)
    return value if isinstance(value, str) else None


def _whole(fields: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = fields.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > LARGEST_AMOUNT:
        raise _wrong(name, "whole number that can be stored", value)
    return value


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(name, "boolean", value)
    return bool(value)


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if value is not None and not isinstance(value, Mapping):
        raise _wrong(name, "object", value)
    return value or {}


def _id_of(fields: Mapping[str, Any], name: str) -> str | None:
    """Return an object's id, whether Stripe expanded the object or gave the id alone."""
    value = fields.get(name)
    return _text(value, "id") if isinstance(value, Mapping) else _text_or_none(fields, name)


def _instant(fields: Mapping[str, Any], name: str) -> datetime:
    try:
        return datetime.fromtimestamp(_whole(fields, name), UTC)
    except (OverflowError, OSError, ValueError):
        raise _wrong(name, "time", fields.get(name)) from None
