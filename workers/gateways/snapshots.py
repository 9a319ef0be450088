"""Stripe's objects as Tollgate reads them: plain frozen data from an API answer or from a webhook's body alike.

Unknown fields are ignored, so that a newer API version does no harm; what is read must be there and of its type.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from workers.gateways.fields import (
    flag,
    id_of,
    instant,
    mapping,
    require,
    text,
    text_or_none,
    whole,
    words_or_none,
    wrong,
)
from workers.gateways.operations import OPERATION_METADATA

T = TypeVar("T")


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
    require(fields, "payment_intent")
    charge = fields.get("latest_charge")
    refunded, disputed = _charge_facts(charge)
    decline = mapping(fields, "last_payment_error")
    return PaymentIntentSnapshot(
        id=text(fields, "id"),
        status=text(fields, "status"),
        amount=whole(fields, "amount"),
        amount_received=whole(fields, "amount_received", 0),
        amount_capturable=whole(fields, "amount_capturable", 0),
        currency=text(fields, "currency"),
        client_secret=text_or_none(fields, "client_secret"),
        customer_id=id_of(fields, "customer"),
        charge_id=id_of(fields, "latest_charge"),
        charge_created=instant(charge, "created") if isinstance(charge, Mapping) else None,
        amount_refunded=refunded,
        disputed=disputed,
        decline_code=text_or_none(decline, "decline_code") or text_or_none(decline, "code"),
        decline_message=words_or_none(decline, "message"),
        operation=text_or_none(mapping(fields, "metadata"), OPERATION_METADATA),
        created=instant(fields, "created"),
        capture_before=_capture_before(charge),
        description=words_or_none(fields, "description"),
        metadata={name: str(value) for name, value in mapping(fields, "metadata").items()},
    )


def charge_snapshot(fields: Mapping[str, Any]) -> ChargeSnapshot:
    """Read a charge.

    Raises:
        ContractError: the fields are not those of a charge; names the field.
    """
    require(fields, "charge")
    status = text(fields, "status")
    # `outcome.reason` of a charge that succeeded tells of its risk, not of a decline.
    reason = text_or_none(mapping(fields, "outcome"), "reason") if status == "failed" else None
    return ChargeSnapshot(
        id=text(fields, "id"),
        payment_intent_id=id_of(fields, "payment_intent"),
        status=status,
        amount=whole(fields, "amount"),
        amount_captured=whole(fields, "amount_captured", 0),
        amount_refunded=_given_back(fields),
        currency=text(fields, "currency"),
        disputed=flag(fields, "disputed"),
        operation=text_or_none(mapping(fields, "metadata"), OPERATION_METADATA),
        decline_code=reason or text_or_none(fields, "failure_code"),
        created=instant(fields, "created"),
        held=status == "succeeded" and not flag(fields, "captured") and not flag(fields, "refunded"),
        capture_before=_capture_before(fields),
    )


def saved_card_snapshots(fields: Mapping[str, Any]) -> Sequence[SavedCard]:
    """Read a list of payment methods, all of them cards; the newest first, as Stripe lists them.

    Raises:
        ContractError: the fields are not those of such a list; names the field.
    """
    found = fields.get("data")
    if not isinstance(found, list):
        raise wrong("data", "list", found)
    return [_saved_card(each) for each in found]


def _saved_card(fields: Mapping[str, Any]) -> SavedCard:
    require(fields, "payment_method")
    card = mapping(fields, "card")
    expires = (whole(card, "exp_year"), whole(card, "exp_month"))
    return SavedCard(text(fields, "id"), expires, instant(fields, "created"))


def _capture_before(charge: object) -> datetime | None:
    """Return until when a charge's bank holds its amount; None if it does not say, or the charge was not expanded."""
    if not isinstance(charge, Mapping):
        return None
    card = mapping(mapping(charge, "payment_method_details"), "card")
    return None if card.get("capture_before") is None else instant(card, "capture_before")


def refund_snapshot(fields: Mapping[str, Any]) -> RefundSnapshot:
    """Read a refund.

    Raises:
        ContractError: the fields are not those of a refund; names the field.
    """
    require(fields, "refund")
    charge = fields.get("charge")
    return RefundSnapshot(
        id=text(fields, "id"),
        status=text(fields, "status"),
        amount=whole(fields, "amount"),
        currency=text(fields, "currency"),
        payment_intent_id=id_of(fields, "payment_intent"),
        charge=charge_snapshot(charge) if isinstance(charge, Mapping) else None,
        reason=text_or_none(fields, "reason"),
        failure_reason=text_or_none(fields, "failure_reason"),
        operation=text_or_none(mapping(fields, "metadata"), OPERATION_METADATA),
        created=instant(fields, "created"),
    )


def _charge_facts(charge: object) -> tuple[int | None, bool | None]:
    """Return (amount refunded, disputed) of a PaymentIntent's `latest_charge`: absent, an id, or the charge itself."""
    if charge is None:
        return 0, False
    if isinstance(charge, Mapping):
        return _given_back(charge), flag(charge, "disputed")
    return None, None


def _given_back(charge: Mapping[str, Any]) -> int:
    """Return what was refunded of what was captured.

    Stripe counts what a partial capture or a cancellation releases as refunded, too; that money never moved.
    """
    released = whole(charge, "amount") - whole(charge, "amount_captured", 0)
    return max(0, whole(charge, "amount_refunded", 0) - released)
