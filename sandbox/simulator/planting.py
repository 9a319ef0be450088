"""Planting: differences between Stripe and whoever keeps books of it, for a reconciliation to find."""

from collections.abc import Mapping
from typing import Final

from sandbox.simulator import charges, payment_intents
from sandbox.simulator.account import JsonObject
from sandbox.simulator.errors import invalid
from sandbox.simulator.money import check_amount
from sandbox.simulator.state import Change

CARD: Final = "pm_card_visa"


def charge(change: Change, amount: int, currency: str, metadata: Mapping[str, str]) -> JsonObject:
    """Make a payment as another program with the account's key would, and let no event tell of it.

    Raises:
        ApiError: as for a payment that is asked for.
    """
    check_amount(amount, currency)
    paid = payment_intents.create(
        change,
        {
            "amount": amount,
            "currency": currency,
            "metadata": dict(metadata),
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            "capture_method": "automatic",
            "payment_method": CARD,
            "confirm": True,
        },
    )
    change.keep_silent()
    return charges.find(change, paid["latest_charge"], param="charge")


def fee(change: Change, name: str, amount: int) -> JsonObject:
    """Let Stripe have kept another amount of a charge than it told before.

    Raises:
        ApiError: there is no such charge, or it has no balance transaction.
    """
    known = charges.find(change, name, param="charge")
    if known["balance_transaction"] is None:
        raise invalid("This charge has no balance transaction yet.")
    booked = change.get("balance_transactions", known["balance_transaction"])
    if booked is None:
        raise invalid("This charge has no balance transaction.")
    details = [part | {"amount": amount} for part in booked["fee_details"]]
    return change.put(
        "balance_transactions", booked | {"fee": amount, "net": booked["amount"] - amount, "fee_details": details}
    )
