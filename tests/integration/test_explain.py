"""`tollgate explain`: all that is recorded of an id, by time, found by an index and without anything personal."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.orm import Session

from models.flag import Flag
from models.ledger import LedgerEntry, LedgerTransaction
from models.refund import Refund
from tests.builders.command_line import Run, runner
from tests.builders.entries import event_entry, payment_entry
from tests.builders.house import House
from tests.builders.settings import complete_settings, put
from tests.builders.stripe_events import START, event, intent
from workers.jobs.cancel import cancel
from workers.jobs.operator import Operator
from workers.timelines.line import Clock
from workers.timelines.subjects import MOST_PAYMENTS
from workers.timelines.timeline import Timeline, timeline_of

pytestmark = pytest.mark.servers
NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
AT_NOON = int(NOON.timestamp()) - START


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, house: House) -> Run:
    put(monkeypatch, complete_settings(TOLLGATE_DATABASE_URL=house.runtime.settings.database.url))
    return runner(capsys)


class Story:
    """A payment of which much is recorded: made, paid, partly refunded, flagged, and its job cancelled too late."""

    def __init__(self, shop: House) -> None:
        entry = payment_entry(booking_reference="BK-77")
        shop.take_in(entry)
        self.job, self.payment, self.request = entry.job_id, entry.subject_id, entry.request_id
        shop.create(self.job)
        row = shop.payment(self.payment)
        self.intent, self.customer = row["stripe_id"], row["customer_id"]
        self.stripe_customer = shop.one("SELECT stripe_id FROM customers WHERE id = :id", id=self.customer)["stripe_id"]
        heard = event_entry(event("payment_intent.succeeded", intent(self.intent, "succeeded"), AT_NOON))
        shop.take_in(heard)
        shop.handle(heard.job_id)
        self.event, self.event_job = heard.subject_id, heard.job_id
        shop.sql("UPDATE payments SET stripe_charge_id = 'ch_77' WHERE id = :id", id=self.payment)
        with Session(shop.runtime.engine) as session:
            session.add(_refund(self.payment))
            session.add(Flag(kind="late_payment", subject_id=self.payment, details={"seconds": 5}))
            movement = LedgerTransaction(
                kind="capture", stripe_id="ch_77", payment_id=self.payment, currency="gbp", occurred_at=NOON
            )
            session.add(movement)
            session.flush()
            for account, amount in (("stripe", 4950), ("sales", -4950)):
                session.add(LedgerEntry(transaction_id=movement.id, account=account, currency="gbp", amount=amount))
            Operator("grace", "INC-42").record(session, "cancel", {self.job: {"state": "done"}})
            session.commit()
        [attempt] = shop.attempts(self.job)
        self.stripe_request = attempt["stripe_request_id"]


def _refund(payment_id: str) -> Refund:
    return Refund(
        id="ref_77",
        client_id="site",
        payment_id=payment_id,
        amount=500,
        currency="gbp",
        status="succeeded",
        stripe_id="re_77",
    )


@pytest.fixture
def story(shop: House) -> Story:
    return Story(shop)


def told(house: House, name: str) -> Timeline:
    with house.runtime.reading() as session:
        timeline = timeline_of(session, name)
    assert timeline is not None, f"nothing is known by {name}"
    return timeline


def test_every_id_of_ours_and_of_stripes_leads_to_the_same_story(shop: House, story: Story) -> None:
    whole = {(line.what, line.subject) for line in told(shop, story.payment).lines}
    for name in (
        *(story.job, story.event_job, "ref_77", story.customer, "BK-77"),
        *(story.intent, "ch_77", "re_77", story.event, story.stripe_customer, story.stripe_request, story.request),
    ):
        assert {(line.what, line.subject) for line in told(shop, name).lines} == whole, name


def test_all_sorts_of_things_are_told_in_order_with_their_clocks(shop: House, story: Story) -> None:
    lines = told(shop, story.payment).lines
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    sorts = {line.what for line in lines}
    assert sorts == {
        *("request", "job", "intent", "attempt", "customer", "payment", "event", "move", "ledger", "refund"),
        *("flag", "operator"),
    }
    stripes = {line.what for line in lines if line.clock is Clock.STRIPES}
    assert stripes == {"ledger", "event"}
    words = " ".join(line.text for line in lines)
    for expected in (
        f"payments.create for {story.payment} accepted from site, request {story.request}",
        f"Stripe's request {story.stripe_request}",
        f"→ paid, by event ({story.event})",
        "capture ch_77: stripe +4950, sales -4950 gbp",
        "refund of 500 gbp",
        "flag late_payment: seconds 5",
        "cancel by grace: INC-42",
        "committed what is asked of Stripe",
    ):
        assert expected in words, expected


def test_nothing_personal_and_no_secret_is_told(shop: House, run: Run, story: Story) -> None:
    printed = run("explain", story.payment, "--json").out + run("explain", story.payment).out
    secret = shop.payment_view(story.payment)
    assert secret is not None
    for canary in ("Ada", "@example.org", "203.0.113", "Mozilla", "First aid", "first-aid", "_secret_"):
        assert canary not in printed


def test_it_is_a_table_for_people_and_json_for_machines(run: Run, shop: House, story: Story) -> None:
    table = run("explain", story.intent)
    assert table.code == 0
    assert f"payment {story.payment}" in table.out
    assert "booking reference BK-77" in table.out
    assert "CLOCK" in table.out
    assert "2026-11-01 12:00:00 " in table.out
    machines = run("explain", story.intent, "--json").json
    assert machines["id"] == story.intent
    assert machines["payments"][0]["id"] == story.payment
    assert [each["id"] for each in machines["refunds"]] == ["ref_77"]
    ledger = next(line for line in machines["timeline"] if line["what"] == "ledger")
    assert (ledger["at"], ledger["clock"]) == ("2026-11-01T12:00:00.000000Z", "stripes")
    assert ledger["details"]["entries"] == [
        {"account": "stripe", "amount": 4950},
        {"account": "sales", "amount": -4950},
    ]
    assert "2026-11-01T12:00:00.000000Z" in run("explain", story.intent, "--raw-times").out


@pytest.mark.parametrize("name", ["pay_" + "a" * 26, "pi_unknown", "BK-none", "evt_x", "x'; --", "\x1b[31m"])
def test_what_is_not_known_is_said_with_what_to_do(run: Run, name: str) -> None:
    ran = run("explain", name)
    assert ran.code == 1
    assert ran.err.startswith("Error: nothing is known by '")
    assert "\x1b" not in ran.err
    assert ": " in ran.err


def test_a_job_is_told_of_before_its_payment_is_there(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    for name in (entry.job_id, entry.subject_id, entry.request_id):
        assert [line.what for line in told(house, name).lines] == ["request", "job"]


def test_an_event_that_is_not_handled_yet_or_is_not_ours_is_told_of(house: House) -> None:
    entry = event_entry(event("customer.created", {"object": "customer", "id": "cus_1"}, AT_NOON))
    house.take_in(entry)
    assert [line.what for line in told(house, entry.subject_id).lines] == ["request", "job"]
    house.handle(entry.job_id)
    lines = told(house, entry.subject_id).lines
    assert [line.text for line in lines if line.what == "event"] == [
        "customer.created of cus_1",
        "customer.created is handled: recorded",
    ]


def test_bookings_of_two_clients_are_both_told_of(house: House) -> None:
    house.add_client("office")
    ids = []
    for client in ("site", "office"):
        entry = payment_entry(client=client, booking_reference="BK-two")
        house.take_in(entry)
        house.create(entry.job_id)
        ids.append(entry.subject_id)
    timeline = told(house, "BK-two")
    assert set(timeline.subjects.payments) == set(ids)
    assert {payment["client_id"] for payment in timeline.standing["payments"]} == {"site", "office"}


def test_of_many_payments_the_newest_are_told_of(house: House, run: Run) -> None:
    rows = many(house, MOST_PAYMENTS + 1)
    timeline = told(house, "BK-many")
    assert list(timeline.subjects.payments) == rows[::-1][:MOST_PAYMENTS]
    assert timeline.subjects.more is True
    assert "there are more than" in run("explain", "BK-many").err


def many(house: House, number: int, booking: str = "BK-many") -> list[str]:
    """Make so many payments, each with a job of its own, as fast as PostgreSQL can."""
    entry = payment_entry(booking_reference=booking)
    house.take_in(entry)
    house.create(entry.job_id)
    copies: dict[str, tuple[str, ...]] = {
        "jobs": ("id", "scope", "subject_id", "request_id"),
        "payments": ("id", "job_id", "stripe_id"),
    }
    for table, unique in copies.items():
        columns = [
            row["name"]
            for row in house.sql(
                "SELECT column_name AS name FROM information_schema.columns WHERE table_name = :t", t=table
            )
        ]
        values = ", ".join(
            f"{name} || lpad(n::text, 7, '0')"
            if name in unique
            else f"{name} + make_interval(secs => n)"
            if name == "created_at"
            else name
            for name in columns
        )
        house.sql(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, generate_series(1, :more) AS n"  # noqa: S608 - names of our own
            " WHERE id = :id",
            id=entry.job_id if table == "jobs" else entry.subject_id,
            more=number - 1,
        )
    return [entry.subject_id, *(f"{entry.subject_id}{n:07d}" for n in range(1, number))]


NAMES = (
    *("job_x", "pay_x", "ref_x", "cst_x", "pi_x", "ch_x", "re_x", "evt_x", "cus_x", "req_x", "txn_x", "a booking"),
    "",
)


def test_no_question_walks_through_a_large_table(house: House, story_of_all: None) -> None:
    """PostgreSQL is told that a walk costs more than anything, and then plans one only where no index serves."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        asked.append((statement, parameters))

    engine = house.runtime.engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    with house.runtime.reading() as session:
        for name in NAMES:
            timeline_of(session, name)
    sqlalchemy_event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("SET enable_seqscan = off")
        walks = []
        for statement, parameters in asked:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            walks += [f"{table}: {statement}" for table in walked(cursor.fetchall()[0][0])]
    assert len(asked) > len(NAMES)
    assert walks == []


@pytest.fixture
def story_of_all(house: House) -> None:
    many(house, 3)


SMALL = {"clients", "customers"}  # of clients there are a few; former ids of customers are looked through


def walked(plan: Any) -> list[str]:
    found: list[str] = []

    def look(node: dict[str, Any]) -> None:
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] not in SMALL:
            found.append(node["Relation Name"])
        for inner in node.get("Plans", ()):
            look(inner)

    loaded = json.loads(plan) if isinstance(plan, str) else plan
    for each in loaded:
        look(each["Plan"])
    return found


def test_an_operators_cancellation_is_told(house: House) -> None:
    entry = payment_entry()
    house.take_in(entry)
    with Session(house.runtime.engine) as session:
        cancel(session, [entry.job_id], Operator("ada", "booked twice"))
        session.commit()
    words = [line.text for line in told(house, entry.job_id).lines]
    assert "its end is asked for" in words
    assert "cancel by ada: booked twice" in words
