"""The ledger in operation: money is posted in the transaction that first tells of it, once, whoever tells of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import StripeUnavailableError
from models.payment import Payment
from models.refund import Refund
from sandbox import shopper
from sandbox.ledger_agreement import Movement, disagreements, read_posted
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import House
from tests.builders.ledger import balances, kinds, transactions
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import (
    AMOUNT,
    START,
    FakeStripe,
    Object,
    answer_of,
    balance_transaction,
    charge,
    dispute,
    event,
    intent,
    payout,
)
from workers.gateways.balance_snapshots import BalanceTransactionSnapshot, Booking
from workers.gateways.snapshots import Answer
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


# Fees, disputes and payouts


def booked(fee: int = 94) -> Any:
    balance = BalanceTransactionSnapshot("txn_1", AMOUNT, fee, "gbp", at(6))
    return lambda **_: Answer(Booking(balance, may_come=False), "req_fee", replayed=False, as_of=at(60))


def not_booked(*, may_come: bool) -> Any:
    return lambda **_: Answer(Booking(None, may_come=may_come), "req_fee", replayed=False, as_of=at(60))


def collect(known: Known, answer: Any) -> list[str]:
    stripe = FakeStripe(retrieve_charge_booking=answer, retrieve_refund_booking=answer)
    return [result.state for result in known.house.collect_fees(known.house.with_stripe(stripe))]


def test_a_captures_fee_is_looked_up_and_posted_by_its_balance_transaction(known: Known) -> None:
    known.pay()
    assert collect(known, booked()) == ["done"]
    [fee] = transactions(known.house, "txn_1")
    assert (fee["kind"], fee["payment_id"], fee["occurred_at"], fee["evidence"]) == ("fee", known.id, at(6), "req_fee")
    assert fee["lines"] == [("fees", 94), ("stripe", -94)]


def test_the_fee_of_a_charge_is_asked_for_once_however_many_events_come(known: Known) -> None:
    known.pay()
    known.hear("charge.succeeded", known.ch(), 5)
    known.hear("charge.updated", known.ch(), 6)
    [job] = known.house.jobs("ledger.fee")
    assert (job["subject_id"], job["state"]) == (known.id, "ready")


def test_a_fee_waits_until_stripe_has_booked_the_charge(known: Known) -> None:
    known.pay()
    assert collect(known, not_booked(may_come=True)) == ["waiting"]
    assert known.house.jobs("ledger.fee")[0]["last_error"]["type"] == "NotBooked"
    assert collect(known, booked()) == ["done"]
    assert balances(known.house)["fees", "gbp"] == 94


@pytest.mark.parametrize("answer", [booked(fee=0), not_booked(may_come=False)], ids=["no fee", "nothing booked"])
def test_what_costs_nothing_posts_nothing_and_asks_no_more(known: Known, answer: Any) -> None:
    known.pay()
    assert collect(known, answer) == ["done"]
    assert kinds(known.house) == [("capture", known.ch_id)]


def test_stripe_being_away_loses_no_fee(known: Known) -> None:
    def away(**_: Any) -> Any:
        raise StripeUnavailableError

    known.pay()
    assert collect(known, away) == ["waiting"]
    assert collect(known, booked()) == ["done"]


def withdrawn(known: Known, *more: Object) -> Object:
    return dispute(known.pi_id, balance_transaction("txn_out", -AMOUNT, fee=2000, at=100), *more)


def test_a_dispute_takes_the_money_and_a_fee(known: Known) -> None:
    known.pay()
    for kind in ("created", "funds_withdrawn", "updated"):
        known.hear(f"charge.dispute.{kind}", withdrawn(known), 100)
    assert balances(known.house) == {
        ("stripe", "gbp"): -2000,
        ("sales", "gbp"): -AMOUNT,
        ("disputes", "gbp"): AMOUNT,
        ("fees", "gbp"): 2000,
    }
    assert {each["payment_id"] for each in transactions(known.house)} == {known.id}


@pytest.mark.parametrize("heard", [("funds_withdrawn", "funds_reinstated"), ("funds_reinstated",)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_dispute_that_is_won_gives_the_money_back(known: Known, heard: tuple[str, ...], *, turned: bool) -> None:
    known.pay()
    won = withdrawn(known, balance_transaction("txn_in", AMOUNT, at=900))
    for kind in reversed(heard) if turned else heard:
        known.hear(f"charge.dispute.{kind}", won if kind == "funds_reinstated" else withdrawn(known), 900)
    assert balances(known.house)["disputes", "gbp"] == 0
    assert balances(known.house)["fees", "gbp"] == 2000
    assert sorted(kind for kind, _ in kinds(known.house)) == ["capture", "dispute", "dispute_fee", "dispute_reinstated"]


def test_a_dispute_in_the_charges_currency_is_posted_where_the_account_has_another(known: Known) -> None:
    known.pay()
    settled = balance_transaction("txn_eur", -5700, fee=1500, at=100) | {"currency": "eur"}
    known.hear("charge.dispute.funds_withdrawn", dispute(known.pi_id, settled), 100)
    assert balances(known.house)["disputes", "gbp"] == AMOUNT
    assert balances(known.house)["fees", "eur"] == 1500


def hear_of_payout(house: House, kind: str, amount: int, seconds: int) -> str:
    taken = event_entry(event(kind, payout("po_1", amount, kind.removeprefix("payout.")), seconds))
    house.take_in(taken)
    house.handle(taken.job_id)
    return str(house.sql("SELECT outcome FROM stripe_events ORDER BY handled_at DESC")[0]["outcome"])


def test_a_payout_moves_the_money_to_the_bank_and_is_of_no_payment(house: House) -> None:
    assert [hear_of_payout(house, "payout.paid", 7000, 5) for _ in range(2)] == ["applied", "applied"]
    assert balances(house) == {("bank", "gbp"): 7000, ("stripe", "gbp"): -7000}
    assert transactions(house)[0]["payment_id"] is None


@pytest.mark.parametrize("heard", [("paid", "failed"), ("failed", "paid"), ("failed",)])
def test_a_payout_that_failed_leaves_the_money_with_stripe(house: House, heard: tuple[str, ...]) -> None:
    for kind in heard:
        hear_of_payout(house, f"payout.{kind}", 7000, 50)
    assert set(balances(house).values()) == {0}
    assert {kind for kind, _ in kinds(house)} == {"payout", "payout_failed"}


@pytest.mark.parametrize("kind", ["payout.created", "payout.updated", "payout.canceled"])
def test_other_news_of_payouts_is_recorded_and_moves_nothing(house: House, kind: str) -> None:
    assert hear_of_payout(house, kind, 7000, 5) == "recorded"
    assert kinds(house) == []


# Against the simulator


def paid_at_simulator(shop: House, stripe: Simulator, card: str = "4242424242424242") -> tuple[str, str]:
    """Return a payment of which the simulator has told everything, and its PaymentIntent's id."""
    entry = payment_entry()
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    name = str(shop.payment(entry.subject_id)["stripe_id"])
    secret = str(stripe.client.v1.payment_intents.retrieve(name).client_secret)
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, card).status == "succeeded"
    return entry.subject_id, name


def hear_all(shop: House, stripe: Simulator, *names: str) -> None:
    """Let everything be heard that the simulator tells of these objects, twice, the newest first."""
    newest_first = [body for _, body in reversed(stripe.events_of(*names))]
    for body in [*newest_first, *newest_first]:
        taken = event_entry(body)
        shop.take_in(taken)
        shop.make_due(taken.job_id)
        shop.handle(taken.job_id)
    while shop.refresh_all():
        pass
    while shop.collect_fees():
        pass


def agree(shop: House, stripe: Simulator, *names: str) -> dict[Movement, int]:
    """Return what was posted, after holding it against the simulator's balance transactions of these objects."""
    facts = stripe.control("GET", "ledger")
    sources = {each["id"] for noun in ("charges", "refunds", "disputes") for each in facts[noun] if each["id"] in names}
    sources |= {
        each["id"] for noun in ("charges", "refunds") for each in facts[noun] if each["payment_intent"] in names
    }
    sources |= {each["id"] for each in facts["disputes"] if each["charge"] in sources}
    sources |= {each["id"] for each in facts["payouts"] if each["id"] in names}
    balances = [each for each in facts["balance_transactions"] if each["source"] in sources]
    facts |= {"balance_transactions": balances}
    posted = read_posted(shop.runtime.settings.database.url)
    assert list(disagreements(facts, posted)) == []
    assert posted
    return posted


def test_capture_fee_and_refunds_agree_with_the_simulator_to_the_penny(shop: House, stripe: Simulator) -> None:
    _, intent_id = paid_at_simulator(shop, stripe)
    stripe.client.v1.refunds.create({"payment_intent": intent_id, "amount": 950})
    stripe.client.v1.refunds.create({"payment_intent": intent_id, "amount": 50})
    hear_all(shop, stripe, intent_id)
    posted = agree(shop, stripe, intent_id)
    assert sorted(kind for kind, _, _ in posted) == ["capture", "fee", "refund", "refund"]


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_a_dispute_agrees_with_the_simulator_to_the_penny(shop: House, stripe: Simulator, outcome: str) -> None:
    payment_id, intent_id = paid_at_simulator(shop, stripe, card="4000000000000259")
    [opened] = stripe.client.v1.disputes.list({"payment_intent": intent_id}).data
    stripe.control("POST", "disputes/close", {"dispute": opened.id, "outcome": outcome})
    hear_all(shop, stripe, intent_id)
    kinds = sorted(kind for kind, _, _ in agree(shop, stripe, intent_id))
    assert kinds == ["capture", "dispute", "dispute_fee", *(["dispute_reinstated"] if outcome == "won" else []), "fee"]
    assert shop.payment(payment_id)["status"] == ("paid" if outcome == "won" else "disputed")


def test_payouts_agree_with_the_simulator_to_the_penny(shop: House, stripe: Simulator) -> None:
    # There is something to pay out, whatever the disputes of other tests at the same simulator have cost.
    stripe.client.v1.payment_intents.create(
        {"amount": 99_999_900, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}
    )
    _, intent_id = paid_at_simulator(shop, stripe)
    paid = stripe.control("POST", "payouts", {"currency": "gbp"})
    stripe.control("POST", "payouts/fail", {"payout": paid["id"]})
    again = stripe.control("POST", "payouts", {"currency": "gbp"})
    hear_all(shop, stripe, intent_id, paid["id"], again["id"])
    agree(shop, stripe, intent_id, paid["id"], again["id"])
    assert balances(shop)["bank", "gbp"] == again["amount"]
