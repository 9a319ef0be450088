"""Events as each version of Stripe's API wrote them, replayed on every change: all come to what they came to before."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox.simulator.account import API_VERSION
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House, open_house
from tests.builders.stripe_events import FakeStripe, answer_of, refunds_of
from tests.contract.record_events import AMOUNT, FOLDER, PART, STORIES

pytestmark = pytest.mark.servers
RECORDED = sorted(FOLDER.glob("*/*.json"))
LATER = 10**7  # seconds; all that is fetched is newer than every event
MOST_ROUNDS = 5  # of refreshes; each leaves at most one that was asked for meanwhile
# What each story comes to: status, received, refunded, and what the ledger has of it by account, in pence.
ENDS: dict[str, tuple[str, int, int, dict[str, int]]] = {
    "paid": ("paid", AMOUNT, 0, {"sales": -AMOUNT}),
    "declined_then_paid": ("paid", AMOUNT, 0, {"sales": -AMOUNT}),
    "captured_in_part": ("paid", AMOUNT - PART, 0, {"sales": PART - AMOUNT}),
    "canceled": ("canceled", 0, 0, {}),
    "refunded_in_two_parts": ("refunded", AMOUNT, AMOUNT, {"sales": -AMOUNT, "refunds": AMOUNT}),
    "refund_that_failed": ("paid", AMOUNT, 0, {"sales": -AMOUNT}),
}
ORDERS = ("as they came", "backwards", "shuffled, each three times")


@pytest.fixture
def house(database_url: str, redis_url: str, redis_prefix: str) -> Iterator[House]:
    with open_house(database_url, redis_url, redis_prefix) as opened:
        yield opened


def name_of(path: Path) -> str:
    return f"{path.parent.name} {path.stem}"


def ordered(bodies: Sequence[bytes], order: str) -> list[bytes]:
    if order == "as they came":
        return list(bodies)
    if order == "backwards":
        return list(bodies[::-1])
    thrice = [*bodies] * 3
    random.Random(7).shuffle(thrice)
    return thrice


def hear(house: House, story: dict[str, Any], order: str) -> None:
    """Let every event of a story come, in that order."""
    for body in ordered([json.dumps(event).encode() for event in story["events"]], order):
        event = event_entry(body)
        house.take_in(event)
        house.handle(event.job_id)


def play(house: House, story: dict[str, Any], key: str, order: str) -> str:
    """Let the payment be asked for, then let every event come; return the payment's id."""
    entry = payment_entry(key)
    house.take_in(entry)
    first = {**story["payment_intent"], "status": "requires_payment_method", "latest_charge": None}
    first |= {"amount_received": 0, "last_payment_error": None}
    made = FakeStripe(
        create_customer=lambda **_: customer(), create_payment_intent=lambda **_: answer_of(first, -LATER)
    )
    assert house.create(entry.job_id, house.with_stripe(made)).state == "done"
    hear(house, story, order)
    settle(house, story)
    return entry.subject_id


def customer() -> Any:
    return answer_of_text("cus_recorded")


def answer_of_text(value: str) -> Any:
    found = refunds_of(at=-LATER)
    return type(found)(value, found.request_id, found.replayed, found.as_of)


def settle(house: House, story: dict[str, Any]) -> None:
    """Fetch what is in doubt, until nothing is."""
    stripe = FakeStripe(
        retrieve_payment_intent=lambda **_: answer_of(story["payment_intent"], LATER),
        list_refunds=lambda **_: refunds_of(*story["refunds"], at=LATER),
    )
    for _ in range(MOST_ROUNDS):
        if not house.refresh_all(house.with_stripe(stripe)):
            return
    raise AssertionError("refreshes never end")


def balances(house: House) -> dict[str, int]:
    rows = house.sql("SELECT account, sum(amount) AS balance FROM ledger_entries GROUP BY account")
    return {row["account"]: int(row["balance"]) for row in rows if row["balance"]}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("path", RECORDED, ids=name_of)
def test_recorded_events_come_to_the_same_end_in_any_order(house: House, path: Path, order: str) -> None:
    story = json.loads(path.read_text())
    status, received, refunded, ledger = ENDS[path.stem]
    payment = house.payment(play(house, story, path.stem, order))
    assert (payment["status"], payment["amount_received"], payment["amount_refunded"]) == (status, received, refunded)
    found = balances(house)
    assert found.pop("stripe", 0) + sum(found.values()) == 0
    assert found == ledger


def test_every_story_is_recorded_in_the_version_that_we_ask_for_and_has_an_end() -> None:
    assert {path.stem for path in RECORDED if path.parent.name == API_VERSION} == {tell.__name__ for tell in STORIES}
    assert {path.stem for path in RECORDED} <= set(ENDS)
    for path in RECORDED:
        versions = {event["api_version"] for event in json.loads(path.read_text())["events"]}
        assert versions == {path.parent.name}, path
