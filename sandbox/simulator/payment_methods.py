"""Payment methods: test cards by name or by number, as a shopper's browser would hand them over."""

from typing import Any, Final

from sandbox.simulator.account import JsonObject
from sandbox.simulator.cards import Card, named, numbered
from sandbox.simulator.errors import NOT_FOUND, PAYMENT_REQUIRED, ApiError, missing_resource
from sandbox.simulator.events import emit
from sandbox.simulator.lists import LIST_PARAMS, page
from sandbox.simulator.params import Param, Spec, choice, email, identifier, integer, listing, mapping, metadata, text
from sandbox.simulator.state import Change

EXPIRY_MONTH: Final = 12
EXPIRY_YEAR: Final = 2034  # pm_card_… names carry no expiry, so all of them share one that is far off

ADDRESS: Final[Spec] = {name: Param(text()) for name in ("city", "country", "line1", "line2", "postal_code", "state")}
BILLING_DETAILS: Final[Spec] = {
    "address": Param(mapping(ADDRESS)),
    "email": Param(email),
    "name": Param(text()),
    "phone": Param(text()),
    "tax_id": Param(text()),
}
CARD: Final[Spec] = {
    "number": Param(identifier, required=True),
    "exp_month": Param(integer(1, 12)),
    "exp_year": Param(integer(0, 9999)),
    "cvc": Param(text()),
}
DATA: Final[Spec] = {
    "type": Param(choice("card"), required=True),
    "card": Param(mapping(CARD), required=True),
    "billing_details": Param(mapping(BILLING_DETAILS)),
    "metadata": Param(metadata),
    "allow_redisplay": Param(choice("always", "limited", "unspecified")),
}
ATTACH: Final[Spec] = {"customer": Param(identifier, required=True), "expand": Param(listing(identifier))}
DETACH: Final[Spec] = {"expand": Param(listing(identifier))}
LIST: Final[Spec] = LIST_PARAMS | {"customer": Param(identifier), "type": Param(choice("card"))}
CREATE: Final[Spec] = DATA | {"expand": Param(listing(identifier))}


def create(change: Change, values: dict[str, Any]) -> JsonObject:
    """Make a payment method from card details.

    Raises:
        ApiError: 402 ``incorrect_number`` for a number that is no card's.
    """
    details = values["card"]
    card = numbered(details["number"])
    if card is None:
        raise ApiError(
            PAYMENT_REQUIRED,
            "Your card number is incorrect.",
            type="card_error",
            code="incorrect_number",
            param="number",
        )
    expiry = (details.get("exp_month", EXPIRY_MONTH), details.get("exp_year", EXPIRY_YEAR))
    return _store(change, card, expiry, values)


def find(change: Change, identifier_or_name: str, *, param: str = "payment_method") -> JsonObject:
    """Return a payment method by id, or make one for a ``pm_card_…`` name.

    Raises:
        ApiError: there is none.
    """
    known = change.get("payment_methods", identifier_or_name)
    if known is not None:
        return known
    card = named(identifier_or_name)
    if card is None:
        raise missing_resource("PaymentMethod", identifier_or_name, param=param)
    return _store(change, card, (EXPIRY_MONTH, EXPIRY_YEAR), {})


def retrieve(change: Change, identifier: str) -> JsonObject:
    """Return a payment method by id.

    Raises:
        ApiError: 404, there is none.
    """
    known = change.get("payment_methods", identifier)
    if known is None:
        raise missing_resource("PaymentMethod", identifier, param="payment_method", status=NOT_FOUND)
    return known


def attach(change: Change, identifier: str, values: dict[str, Any]) -> JsonObject:
    """Keep a payment method for a customer.

    Raises:
        ApiError: there is no such customer or payment method.
    """
    customer = values["customer"]
    if change.get("customers", customer) is None:
        raise missing_resource("customer", customer, param="customer")
    attached = change.put("payment_methods", find(change, identifier) | {"customer": customer})
    emit(change, "payment_method.attached", attached)
    return attached


def detach(change: Change, identifier: str, _values: dict[str, Any]) -> JsonObject:
    """Take a payment method away from its customer, who never gets it back.

    Raises:
        ApiError: 404, there is none.
    """
    before = retrieve(change, identifier)
    detached = change.put("payment_methods", before | {"customer": None})
    emit(change, "payment_method.detached", detached, before)
    return detached


def of_customer(change: Change, customer: str, values: dict[str, Any]) -> JsonObject:
    """List what is kept for a customer, the newest first.

    Raises:
        ApiError: 404, there is no such customer.
    """
    if change.get("customers", customer) is None:
        raise missing_resource("customer", customer, param="customer", status=NOT_FOUND)
    return _page(change, customer, values, f"/v1/customers/{customer}/payment_methods")


def index(change: Change, values: dict[str, Any]) -> JsonObject:
    """List what is kept for a customer; without one there is nothing to list."""
    return _page(change, values.get("customer"), values, "/v1/payment_methods")


def _page(change: Change, customer: str | None, values: dict[str, Any], url: str) -> JsonObject:
    def matches(method: JsonObject) -> bool:
        return customer is not None and bool(method["customer"] == customer)

    return page(change.state, "payment_methods", values, matches, url=url, noun="payment_method")


def card_of(change: Change, payment_method: str) -> Card:
    """Return the test card behind a stored payment method."""
    fate = change.get("card_fates", payment_method)
    card = named(fate["card"]) if fate is not None else None
    if card is None:
        raise missing_resource("PaymentMethod", payment_method, param="payment_method")
    return card


def billing_details(values: dict[str, Any]) -> JsonObject:
    """Return complete billing details from the ones that were given."""
    given = values.get("billing_details") or {}
    address = given.get("address") or {}
    return {
        "address": {name: address.get(name) for name in ADDRESS},
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": given.get("tax_id"),
    }


def _store(change: Change, card: Card, expiry: tuple[int, int], values: dict[str, Any]) -> JsonObject:
    new = change.identifiers.new("pm")
    # The number itself is never kept: the name of the test card says all about its fate.
    change.put("card_fates", {"id": new, "card": card.name})
    return change.create(
        "payment_methods",
        {
            "id": new,
            "object": "payment_method",
            "allow_redisplay": values.get("allow_redisplay", "unspecified"),
            "billing_details": billing_details(values),
            "card": _card(card, expiry),
            "created": change.clock.now(),
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": values.get("metadata") or {},
            "type": "card",
        },
    )


def _card(card: Card, expiry: tuple[int, int]) -> JsonObject:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "unchecked"},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": expiry[0],
        "exp_year": expiry[1],
        "fingerprint": f"Sim{card.last4}{card.brand.title()}",
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
