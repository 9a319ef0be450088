"""Which of a customer's saved cards is charged."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.gateways.snapshots import SavedCard
from workers.services.off_session import newest_usable

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def card(name: str, expires: tuple[int, int], day: int) -> SavedCard:
    return SavedCard(name, expires, datetime(2026, 1, day, tzinfo=UTC))


@pytest.mark.parametrize(
    ("cards", "chosen"),
    [
        ([], None),
        ([card("old", (2030, 1), 1), card("new", (2030, 1), 2)], "new"),
        ([card("new", (2030, 1), 2), card("old", (2030, 1), 1)], "new"),
        ([card("old", (2030, 1), 1), card("expired", (2026, 10), 2)], "old"),
        ([card("this month", (2026, 11), 1)], "this month"),
        ([card("last year", (2025, 12), 1)], None),
    ],
)
def test_the_newest_card_that_has_not_expired_is_chosen(cards: list[SavedCard], chosen: str | None) -> None:
    found = newest_usable(cards, NOW)
    assert (found and found.id) == chosen
