from __future__ import annotations

import pytest

from sandbox.simulator.cards import CARDS, Card, named, numbered


@pytest.mark.parametrize("card", CARDS, ids=lambda card: str(card.name))
def test_every_card_is_found_by_name_and_by_number(card: Card) -> None:
    assert named(card.name) is card
    assert numbered(card.number) is card


def test_short_names_and_spaced_numbers_are_understood() -> None:
    assert named("pm_card_chargeDeclined") is named("pm_card_visa_chargeDeclined")
    assert numbered("4000 0000 0000 0002") is named("pm_card_visa_chargeDeclined")
    assert numbered("4000-0000-0000-9995") is named("pm_card_chargeDeclinedInsufficientFunds")


def test_an_unlisted_number_with_a_right_check_digit_succeeds() -> None:
    card = numbered("4111111111111111")
    assert card is not None
    assert (card.decline, card.last4) == (None, "1111")


@pytest.mark.parametrize("number", ["4242424242424241", "42", "", "abcd", "4" * 25, "٤" * 16])
def test_what_is_no_card_number_is_no_card(number: str) -> None:
    assert numbered(number) is None
