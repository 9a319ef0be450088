"""Issuers: what a card's bank does on its own once a charge has taken money (https://docs.stripe.com/testing#disputes)."""

from sandbox.simulator import disputes, early_fraud_warnings
from sandbox.simulator.account import JsonObject
from sandbox.simulator.cards import Card
from sandbox.simulator.state import Change


def answer(change: Change, charge: JsonObject, card: Card) -> None:
    """Dispute, ask about or warn of a captured charge, as its test card has it."""
    if card.disputed_as is not None:
        disputes.begin(change, charge, reason=card.disputed_as, inquiry=card.is_only_asked_about)
    if card.is_warned_of:
        early_fraud_warnings.warn(change, charge)
