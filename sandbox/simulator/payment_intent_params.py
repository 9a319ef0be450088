"""The parameters of PaymentIntents (https://docs.stripe.com/api/payment_intents), and which never go together."""

from typing import Any, Final

from sandbox.simulator import customers, payment_methods
from sandbox.simulator.errors import invalid
from sandbox.simulator.lists import LIST_PARAMS
from sandbox.simulator.money import check_amount, currency
from sandbox.simulator.params import (
    Param,
    Spec,
    boolean,
    choice,
    email,
    identifier,
    integer,
    listing,
    mapping,
    metadata,
    text,
)

DESCRIPTION_LENGTH: Final = 1000
DESCRIPTOR_LENGTH: Final = 22  # what fits on a card statement

DETAILS: Final[Spec] = {
    "customer": Param(identifier),
    "description": Param(text(DESCRIPTION_LENGTH)),
    "metadata": Param(metadata),
    "payment_method": Param(identifier),
    "receipt_email": Param(email),
    "setup_future_usage": Param(choice("off_session", "on_session")),
    "shipping": Param(mapping(customers.SHIPPING)),
    "statement_descriptor": Param(text(DESCRIPTOR_LENGTH)),
    "statement_descriptor_suffix": Param(text(DESCRIPTOR_LENGTH)),
    "transfer_group": Param(text()),
    "payment_method_types": Param(listing(choice("card"))),
    "expand": Param(listing(identifier)),
}
AUTOMATIC: Final[Spec] = {
    "enabled": Param(boolean, required=True),
    "allow_redirects": Param(choice("always", "never")),
}
CREATE: Final[Spec] = DETAILS | {
    "amount": Param(integer(1), required=True),
    "currency": Param(currency, required=True),
    "automatic_payment_methods": Param(mapping(AUTOMATIC)),
    "capture_method": Param(choice("automatic", "automatic_async", "manual")),
    "confirmation_method": Param(choice("automatic", "manual")),
    "confirm": Param(boolean),
    "off_session": Param(boolean),
    "payment_method_data": Param(mapping(payment_methods.DATA)),
    "return_url": Param(text()),
    "use_stripe_sdk": Param(boolean),
}
UPDATE: Final[Spec] = DETAILS | {
    "amount": Param(integer(1)),
    "currency": Param(currency),
    "capture_method": CREATE["capture_method"],
}
CAPTURE: Final[Spec] = {
    "amount_to_capture": Param(integer(1)),
    "metadata": Param(metadata),
    "expand": Param(listing(identifier)),
}
CANCEL: Final[Spec] = {
    "cancellation_reason": Param(choice("abandoned", "duplicate", "fraudulent", "requested_by_customer")),
    "expand": Param(listing(identifier)),
}
RETRIEVE: Final[Spec] = {"client_secret": Param(identifier), "expand": Param(listing(identifier))}
LIST: Final[Spec] = LIST_PARAMS | {"customer": Param(identifier)}


def check_create(values: dict[str, Any]) -> None:
    """Refuse a creation that Stripe refuses before it does anything."""
    check_amount(values["amount"], values["currency"])
    for name in ("off_session", "return_url"):
        if name in values and not values.get("confirm"):
            message = (
                f"The parameter `{name}` cannot be passed to create a PaymentIntent unless `confirm` is set to true."
            )
            raise invalid(message, param=name)
    if "payment_method_types" in values and values.get("automatic_payment_methods", {}).get("enabled"):
        raise invalid(
            "You may only specify one of these parameters: automatic_payment_methods, payment_method_types.",
            param="automatic_payment_methods",
        )
