"""The ledger in operation: money is posted in the transaction that first tells of it, once, whoever tells of it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.payment import Payment
from models.refund import Refund
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import House
from tests.builders.ledger import balances, kinds, transactions
from tests.builders.stripe_events import AMOUNT, START, FakeStripe, Object, answer_of, charge, event, intent
from workers.services import ledger
from workers.services.moves import Source
from workers.services.stripe_objects import apply_payment_intent, locked

pytestmark = pytest.mark.servers


def at(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(START + seconds, dt.UTC)


class Known:
    """A payment that is taken in, and what Stripe says of it."""

    def __init__(self, house: House) -> None:
        self.house = house
        entry = payment_entry()
        house.take_in(entry)
        self.id, self.pi_id = entry.subject_id, f"pi_{new_key()}"
        house.create(entry.job_id, house.with_stripe(FakeStripe()))

    @property
    def ch_id(self) -> str:
        return f"ch_{self.pi_id}"

    def pi(self, status: str, **changes: object) -> Object:
        return intent(self.pi_id, status, operation=f"{self.id}/create/1", latest_charge=self.ch_id, **changes)

    def ch(self, **changes: object) -> Object:
        return charge(self.pi_id, "succeeded", operation=f"{self.id}/create/1", **changes)

    def hear(self, kind: str, thing: Object, seconds: int) -> None:
        taken = event_entry(event(kind, thing, seconds))
        self.house.take_in(taken)
        self.house.handle(taken.job_id)

    def pay(self) -> None:
        self.hear("payment_intent.succeeded", self.pi("succeeded"), 5)


@pytest.fixture
def known(house: House) -> Known:
    return Known(house)


def test_a_capture_is_posted_with_its_charge_its_time_and_its_evidence(known: Known) -> None:
    known.pay()
    [posted] = transactions(known.house)
    assert (posted["kind"], posted["stripe_id"], posted["payment_id"]) == ("capture", known.ch_id, known.id)
    assert posted["lines"] == [("stripe", AMOUNT), ("sales", -AMOUNT)]
    assert (posted["currency"], posted["occurred_at"]) == ("gbp", at(5))
    assert posted["evidence"] == known.house.one("SELECT id FROM stripe_events")["id"]


def test_late_and_repeated_news_post_nothing_twice(known: Known) -> None:
    known.pay()
    known.hear("charge.succeeded", known.ch(), 5)
    known.hear("charge.updated", known.ch(), 7)
    known.hear("payment_intent.succeeded", known.pi("succeeded"), 5)
    assert kinds(known.house) == [("capture", known.ch_id)]


def test_what_is_not_captured_is_not_posted(known: Known) -> None:
    known.hear("payment_intent.amount_capturable_updated", known.pi("requires_capture"), 5)
    known.hear("charge.succeeded", known.ch(amount_captured=0), 5)
    assert kinds(known.house) == []
    assert known.house.payment(known.id)["paid_at"] is None


def test_a_payment_is_paid_when_its_card_was_charged_however_late_that_is_heard_of(known: Known) -> None:
    with known.house.runtime.transaction(Step.OUTCOME) as session:
        fetched = answer_of(known.pi("succeeded") | {"latest_charge": known.ch(created=START + 3)}, at=9000)
        source = Source("fetch", fetched.as_of, "req_1")
        apply_payment_intent(session, known.house.runtime, locked(session, known.id), fetched.value, source)
    assert known.house.payment(known.id)["paid_at"] == at(3)
    assert transactions(known.house)[0]["occurred_at"] == at(3)


def test_a_held_amount_is_paid_when_it_is_captured_and_not_when_it_was_held(known: Known) -> None:
    known.house.sql("UPDATE payments SET capture_method = 'manual' WHERE id = :id", id=known.id)
    known.hear("payment_intent.succeeded", known.pi("succeeded"), 600)
    known.hear("charge.captured", known.ch(), 600)
    assert known.house.payment(known.id)["paid_at"] == at(600)


def test_paid_at_is_set_once(known: Known) -> None:
    known.pay()
    known.hear("charge.refunded", known.ch(amount_refunded=100), 900)
    assert known.house.payment(known.id)["paid_at"] == at(5)


def given_back(known: Known, status: str = "succeeded") -> str:
    """Let a refund of a hundred be known; return its id."""
    name = f"ref_{new_key()}"
    with known.house.runtime.transaction(Step.OUTCOME) as session:
        payment = session.get_one(Payment, known.id)
        session.add(
            Refund(
                id=name,
                client_id=payment.client_id,
                payment_id=payment.id,
                amount=100,
                currency="gbp",
                status=status,
                stripe_id=f"re_{name}",
            )
        )
    return name


def tell(known: Known, refund_id: str, *, failed: bool) -> bool:
    with known.house.runtime.transaction(Step.OUTCOME) as session:
        payment, refund = session.get_one(Payment, known.id), session.get_one(Refund, refund_id)
        source = Source("event", at(90 if failed else 60), "evt_refund")
        if failed:
            return ledger.post_refund_failed(session, payment, refund, source, at=at(60))
        return ledger.post_refund(session, payment, refund, source)


def test_a_refund_is_posted_once_however_many_events_tell_of_it(known: Known) -> None:
    known.pay()
    refund = given_back(known)
    assert [tell(known, refund, failed=False) for _ in range(3)] == [True, False, False]
    assert balances(known.house) == {
        ("stripe", "gbp"): AMOUNT - 100,
        ("sales", "gbp"): -AMOUNT,
        ("refunds", "gbp"): 100,
    }
    [posted] = transactions(known.house, f"re_{refund}")
    assert (posted["kind"], posted["payment_id"], posted["occurred_at"]) == ("refund", known.id, at(60))


@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.booleans(), min_size=1, max_size=4))
def test_a_refund_that_failed_leaves_the_same_books_in_whatever_order_it_is_heard_of(
    known: Known, heard: list[bool]
) -> None:
    refund = given_back(known)
    for failed in heard:
        tell(known, refund, failed=failed)
    posted = transactions(known.house, f"re_{refund}")
    assert {each["kind"] for each in posted} == {"refund", *(["refund_failed"] if any(heard) else [])}
    assert len(posted) == 1 + any(heard)
    assert sum(amount for each in posted for account, amount in each["lines"] if account == "refunds") == (
        0 if any(heard) else 100
    )


def test_a_refund_that_stripe_has_not_made_is_not_posted(known: Known) -> None:
    refund = given_back(known)
    known.house.sql("UPDATE refunds SET stripe_id = NULL WHERE id = :id", id=refund)
    assert not tell(known, refund, failed=False)
    assert not tell(known, refund, failed=True)
    assert kinds(known.house) == []
