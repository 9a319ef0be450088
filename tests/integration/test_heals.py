"""Healing: what webhooks did not bring is brought in from Stripe's own list, once, as if they had."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import secrets
from typing import Any

import pytest

from config.errors import StripeUnavailableError
from config.schedules import HEAL as PLAN
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.events import HealEvents, identity_of_event
from tasks.contracts.steps import Step
from tests.builders.command_line import runner
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import HEAL, House, Row
from tests.builders.ledger import kinds
from tests.builders.settings import put
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from tests.builders.worker import DERIVATION_KEY, operators_environment
from workers.gateways import listings
from workers.jobs.follow_up import enqueue
from workers.jobs.run import Result, run_job
from workers.services import heals

pytestmark = pytest.mark.servers
AN_HOUR = 3600


@pytest.fixture
def stripe(own_simulator: Simulator) -> Simulator:
    """Stripe's place in `shop`: its clock may move."""
    return own_simulator


def asked(house: House, **request: Any) -> str:
    """Leave a job that looks for lost webhooks, as the schedule does; return its id."""
    with house.runtime.transaction(Step.GIVE_OUT) as session:
        return enqueue(
            session,
            house.runtime.settings,
            HealEvents(**request),
            client_id="tollgate",
            subject_id=PLAN.name,
            slot=secrets.token_hex(8),
            request_id="",
        )


def look(house: House, **request: Any) -> Result:
    """Look for lost webhooks."""
    return run_job(house.runtime, asked(house, **request), HEAL)


def go_on(house: House) -> int:
    """Run the jobs that looks leave behind; return how many there were."""
    count = 0
    while left := house.sql("SELECT id FROM jobs WHERE kind = 'events.heal' AND state = 'ready'"):
        for row in left:
            assert run_job(house.runtime, row["id"], HEAL).state == "done"
            count += 1
    return count


def handle_all(house: House) -> None:
    """Apply all events that were brought in, and fetch what they leave open."""
    ready = [row["id"] for row in house.jobs("stripe.event") if row["state"] == "ready"]
    assert {result.state for result in house.handle(*ready)} <= {"done"}
    house.refresh_all()
    house.collect_fees()


def buy(house: House, stripe: Simulator) -> str:
    """Make a payment and let its shopper pay; nobody tells of it. Return our id."""
    entry = payment_entry()
    house.take_in(entry)
    house.create(entry.job_id)
    secret = house.payment_view(entry.subject_id).client_secret
    assert secret is not None
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, "4242424242424242").status == "succeeded"
    return entry.subject_id


def pass_time(stripe: Simulator, seconds: int = AN_HOUR) -> None:
    stripe.control("POST", "clock", {"advance_seconds": seconds})


def events_of(house: House, stripe: Simulator, payment_id: str) -> list[bytes]:
    """Return the bodies of all events that speak of a payment, the oldest in front."""
    return [body for _, body in stripe.events_of(str(house.payment(payment_id)["stripe_id"]))]


def cursor(house: House) -> Row:
    return house.one("SELECT * FROM event_cursors")


def flags(house: House) -> list[dict[str, Any]]:
    return [row["details"] for row in house.sql("SELECT * FROM flags WHERE cleared_at IS NULL")]


def test_an_hour_of_lost_webhooks_is_made_up_for_as_if_they_had_come(shop: House, stripe: Simulator) -> None:
    look(shop)
    told = buy(shop, stripe)
    for body in events_of(shop, stripe, told):
        entry = event_entry(body)
        shop.take_in(entry)
        shop.handle(entry.job_id)
    handle_all(shop)
    lost = [buy(shop, stripe) for _ in range(3)]
    assert [shop.payment(each)["status"] for each in lost] == ["requires_confirmation"] * 3
    pass_time(stripe)
    assert look(shop).state == "done"
    handle_all(shop)
    columns = ("status", "stripe_status", "amount_received", "amount_refunded", "dirty", "decline_code")
    states = [[shop.payment(each)[name] for name in columns] for each in (told, *lost)]
    assert states[1:] == [states[0]] * 3
    posted = [
        shop.sql("SELECT kind FROM ledger_transactions WHERE payment_id = :id", id=each) for each in (told, *lost)
    ]
    assert posted == [[{"kind": "capture"}, {"kind": "fee"}]] * 4


def test_a_second_look_brings_in_nothing_and_a_webhook_that_comes_after_all_is_the_same_job(
    shop: House, stripe: Simulator
) -> None:
    look(shop)
    payment = buy(shop, stripe)
    pass_time(stripe)
    look(shop)
    handle_all(shop)
    before, posted = len(shop.jobs("stripe.event")), kinds(shop)
    entries = [event_entry(body) for body in events_of(shop, stripe, payment)]
    taken = shop.take_in(*entries)
    healed = {row["id"] for row in shop.jobs("stripe.event")}
    assert set(taken.known) == {entry.job_id for entry in entries if entry.job_id in healed}
    assert len(taken.known) == before
    assert (taken.strange, taken.reused) == ([], [])
    pass_time(stripe)
    look(shop)
    handle_all(shop)
    assert kinds(shop) == posted


def test_only_what_may_change_something_is_brought_in(shop: House, stripe: Simulator) -> None:
    look(shop)
    buy(shop, stripe)
    pass_time(stripe)
    look(shop)
    handle_all(shop)
    types = {row["type"] for row in shop.sql("SELECT type FROM stripe_events")}
    assert types == {"payment_intent.created", "payment_intent.succeeded", "charge.succeeded", "charge.updated"}


def test_what_is_not_old_enough_may_still_be_on_its_way(shop: House, stripe: Simulator) -> None:
    look(shop)
    buy(shop, stripe)
    pass_time(stripe, 60)
    look(shop)
    assert shop.jobs("stripe.event") == []
    pass_time(stripe, 120)
    look(shop)
    assert len(shop.jobs("stripe.event")) > 0


def test_lost_webhooks_are_flagged_until_a_look_finds_none(shop: House, stripe: Simulator) -> None:
    look(shop)
    buy(shop, stripe)
    pass_time(stripe)
    look(shop)
    first = cursor(shop)
    [details] = flags(shop)
    assert details == {"events": len(shop.jobs("stripe.event")), "since": first["missed_since"].isoformat()}
    assert details["events"] == first["missed"] > 0
    buy(shop, stripe)
    pass_time(stripe)
    look(shop)
    assert flags(shop) == [{**details, "events": 2 * details["events"]}]
    pass_time(stripe)
    look(shop)
    assert flags(shop) == []
    assert (cursor(shop)["missed"], cursor(shop)["missed_since"]) == (0, None)


def test_what_waits_in_the_journal_is_not_called_lost(shop: House, stripe: Simulator) -> None:
    look(shop)
    payment = buy(shop, stripe)
    for body in events_of(shop, stripe, payment):
        names = identity_of_event(shop.runtime.settings.identity_key, json.loads(body)["id"])
        shop.runtime.redis.set(shop.keyspace.idempotency(names.scope), "accepted")
    pass_time(stripe)
    look(shop)
    assert len(shop.jobs("stripe.event")) > 0
    assert flags(shop) == []


def test_the_cursor_moves_to_where_the_look_ended_and_never_back(shop: House, stripe: Simulator) -> None:
    look(shop)
    first = cursor(shop)["through"]
    pass_time(stripe)
    look(shop)
    second = cursor(shop)["through"]
    assert dt.timedelta(seconds=AN_HOUR) <= second - first < dt.timedelta(seconds=AN_HOUR + 60)
    look(shop, since=(first - dt.timedelta(days=1)).isoformat(), until=first.isoformat())
    assert cursor(shop)["through"] == second


def test_a_look_that_would_leave_a_gap_does_not_move_the_cursor(shop: House, stripe: Simulator) -> None:
    look(shop)
    first = cursor(shop)["through"]
    pass_time(stripe)
    look(shop, since=(first + dt.timedelta(minutes=1)).isoformat())
    assert cursor(shop)["through"] == first


def test_a_long_look_goes_on_in_other_jobs_and_the_cursor_waits_for_the_last(
    shop: House, stripe: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listings, "PAGE_SIZE", 2)
    monkeypatch.setattr(heals, "PAGES", 2)
    look(shop)
    before = cursor(shop)["through"]
    payments = [buy(shop, stripe) for _ in range(3)]
    pass_time(stripe)
    look(shop)
    assert cursor(shop)["through"] == before
    assert cursor(shop)["goes_on_in"] is not None
    look(shop)  # a slot that finds a look under way leaves it alone
    assert len(shop.sql("SELECT id FROM jobs WHERE kind = 'events.heal' AND state = 'ready'")) == 1
    assert go_on(shop) > 1
    after = cursor(shop)
    assert after["through"] > before
    assert after["goes_on_in"] is None
    newest = stripe.client.v1.events.list({"limit": 1}).data[0]
    assert after["event_id"] == newest.id
    assert after["missed"] == len(shop.jobs("stripe.event"))
    handle_all(shop)
    assert {shop.payment(each)["status"] for each in payments} == {"paid"}


def test_while_stripe_is_away_nothing_is_decided(shop: House, stripe: Simulator) -> None:
    look(shop)
    before = cursor(shop)

    def away(**_: Any) -> Any:
        raise StripeUnavailableError

    assert run_job(shop.with_stripe(FakeStripe(list_events=away)), asked(shop), HEAL).state == "waiting"
    assert cursor(shop) == before


def test_an_event_that_was_handled_under_another_name_is_not_lost(shop: House, stripe: Simulator) -> None:
    look(shop)
    buy(shop, stripe)
    pass_time(stripe)
    look(shop)
    handle_all(shop)
    number = len(shop.jobs("stripe.event"))
    other = dataclasses.replace(shop.runtime.settings, identity_key=DERIVATION_KEY)
    house = House(dataclasses.replace(shop.runtime, settings=other), shop.app)
    pass_time(stripe, 60)
    look(house)
    assert len(shop.jobs("stripe.event")) == number
    house.blocking.close()


def test_the_command_line_shows_first_and_then_brings_in(
    shop: House, stripe: Simulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = operators_environment(shop.runtime.settings)
    put(monkeypatch, given)
    run = runner(capsys)
    assert run("events", "status", "--json").json["through"] is None
    buy(shop, stripe)
    pass_time(stripe)
    dry = run("events", "heal", "--since", "2h", "--dry-run", "--json")
    assert dry.code == 0
    assert len(dry.json["missing"]) > 0
    assert shop.jobs("stripe.event") == []
    done = run("events", "heal", "--since", "2h")
    assert f"{len(dry.json['missing'])} brought in" in done.err
    assert len(shop.jobs("stripe.event")) == len(dry.json["missing"])
    assert run("events", "heal", "--since", "2h", "--json").json["missing"] == []
    status = run("events", "status", "--json").json
    assert status["through"] is not None
    assert "looked at" in run("events", "status").out
