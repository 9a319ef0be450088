"""Invoices' events as each version of Stripe's API wrote them, replayed on every change, in any order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.simulator.account import API_VERSION
from tests.builders.entries import invoice_entry
from tests.builders.house import House, open_house
from tests.builders.stripe_events import FakeStripe, answer_of, refunds_of
from tests.contract.record_invoice_events import FOLDER, STORIES
from tests.contract.test_recorded_events import LATER, MOST_ROUNDS, ORDERS, answer_of_text, hear, name_of
from workers.gateways.invoice_snapshots import invoice_snapshot

pytestmark = pytest.mark.servers
RECORDED = sorted(FOLDER.glob("*/*.json"))
# What each story comes to: status, whether Stripe mailed it, and whether it was paid by card, past Stripe or not.
ENDS: dict[str, tuple[str, bool, str | None]] = {
    "sent": ("sent", True, None),
    "paid_by_card": ("paid", True, "card"),
    "paid_past_stripe": ("paid", True, "past Stripe"),
    "taken_back": ("void", False, None),
    "given_up_then_paid": ("paid", False, "card"),
}


@pytest.fixture
def house(database_url: str, redis_url: str, redis_prefix: str) -> Iterator[House]:
    with open_house(database_url, redis_url, redis_prefix) as opened:
        yield opened


def invoice_answer(fields: dict[str, Any], at: int) -> Any:
    known = refunds_of(at=at)
    return type(known)(invoice_snapshot(fields), known.request_id, False, known.as_of)


def play(house: House, story: dict[str, Any], key: str, order: str) -> str:
    """Let the draft be asked for, then let every event come; return the invoice's id."""
    entry = invoice_entry(key, draft=True, send=False)
    house.take_in(entry)
    draft = {**story["invoice"], "status": "draft", "number": None, "payments": None, "amount_paid": 0}
    draft |= {"hosted_invoice_url": None, "invoice_pdf": None, "status_transitions": {}, "amount_paid_off_stripe": 0}
    made = FakeStripe(create_customer=lambda **_: answer_of_text("cus_recorded"))
    made.invoices = SimpleNamespace(create=lambda *_: invoice_answer(draft, -LATER))
    assert house.make_invoice(entry.job_id, house.with_stripe(made)).state == "done"
    hear(house, story, order)
    settle(house, story)
    return entry.subject_id


def settle(house: House, story: dict[str, Any]) -> None:
    """Fetch what is in doubt, until nothing is."""
    intents = {each["id"]: each for each in story["payment_intents"]}
    stripe = FakeStripe(
        retrieve_payment_intent=lambda name: answer_of(intents[name], LATER),
        list_refunds=lambda **_: refunds_of(at=LATER),
    )
    stripe.invoices = SimpleNamespace(retrieve=lambda _: invoice_answer(story["invoice"], LATER))
    runtime = house.with_stripe(stripe)
    for _ in range(MOST_ROUNDS):
        if not [*house.refresh_invoices(runtime), *house.refresh_all(runtime)]:
            return
    raise AssertionError("refreshes never end")


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("path", RECORDED, ids=name_of)
def test_recorded_events_come_to_the_same_end_in_any_order(house: House, path: Path, order: str) -> None:
    story = json.loads(path.read_text())
    status, mailed, paid_by = ENDS[path.stem]
    row = house.invoice(play(house, story, path.stem, order))
    assert (row["status"], row["sent_at"] is not None, row["dirty"]) == (status, mailed, False)
    assert row["number"] == story["invoice"]["number"]
    assert row["paid_out_of_band"] is (paid_by == "past Stripe")
    payments = house.sql("SELECT status, amount_received, invoice_id FROM payments")
    total = row["total"]
    paid = [{"status": "paid", "amount_received": total, "invoice_id": row["id"]}]
    assert payments == (paid if paid_by == "card" else [])


def test_every_story_is_recorded_in_the_version_that_we_ask_for_and_has_an_end() -> None:
    assert {path.stem for path in RECORDED if path.parent.name == API_VERSION} == {tell.__name__ for tell in STORIES}
    assert {path.stem for path in RECORDED} <= set(ENDS)
