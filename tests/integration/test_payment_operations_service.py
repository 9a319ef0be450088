"""payments.capture, payments.cancel and payments.update against the simulator: each is done once, or told why not."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest

from config.errors import StripeInvalidError
from models.encrypted import decrypt
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.payment_operations import CancelPayment, CapturePayment, UpdatePayment
from tasks.contracts.steps import Step
from tests.builders.entries import operation_entry, payment_entry, refund_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from workers.jobs import dead
from workers.jobs.operator import Operator
from workers.jobs.run import Result
from workers.jobs.waiting import FRESH_SECONDS
from workers.services.refreshes import ask_for_refresh
from workers.services.stripe_objects import locked, mark_dirty

pytestmark = pytest.mark.servers
GOOD_CARD = "4242424242424242"


def capture_of(payment_id: str, amount: int | None = None) -> CapturePayment:
    return CapturePayment(payment_id, amount)


def cancel_of(payment_id: str, reason: str | None = None) -> CancelPayment:
    return CancelPayment(payment_id, reason)


def update_of(
    payment_id: str, amount: int | None = None, description: str | None = None, metadata: dict[str, str] | None = None
) -> UpdatePayment:
    return UpdatePayment(payment_id, amount, description, metadata or {})


class Till:
    """A payment of the shop, and what is done with it."""

    def __init__(self, shop: House, stripe: Simulator) -> None:
        self.shop, self.stripe = shop, stripe
        self.payment_id = self.job_id = ""

    def accepted(self, **changes: Any) -> Till:
        """Take a payment in, and nothing more."""
        entry = payment_entry(**changes)
        self.shop.take_in(entry)
        self.job_id, self.payment_id = entry.job_id, entry.subject_id
        return self

    def made(self, **changes: Any) -> Till:
        """Make a payment that nobody has confirmed."""
        self.accepted(**changes)
        assert self.shop.create(self.job_id).state == "done"
        return self

    def confirmed(self, **changes: Any) -> Till:
        """Make a payment that the shopper has confirmed; no event of it was heard."""
        self.made(**changes)
        shopper.pay(self.stripe.url, PUBLISHABLE_KEY, str(self.view.client_secret), GOOD_CARD)
        return self

    def held(self, **changes: Any) -> Till:
        """Make a payment whose amount the bank holds."""
        return self.confirmed(capture_method="manual", **changes)

    def asks(self, contract: Any, **options: Any) -> str:
        """Take an operation in; return its job's id."""
        entry = operation_entry(contract, **options)
        self.shop.take_in(entry)
        return entry.job_id

    def does(self, contract: Any, **options: Any) -> Result:
        """Take an operation in and run it once."""
        return self.shop.operate(self.asks(contract, **options))

    def problem(self, result: Result) -> str:
        return str(self.shop.job(result.job_id)["problem"]["code"])

    @property
    def view(self) -> Any:
        return self.shop.payment_view(self.payment_id)

    @property
    def intent(self) -> dict[str, Any]:
        """Return the PaymentIntent by Stripe's own word."""
        stripe_id = self.shop.payment(self.payment_id)["stripe_id"]
        return dict(self.stripe.client.v1.payment_intents.retrieve(stripe_id, {"expand": ["latest_charge"]}).to_dict())


@pytest.fixture
def till(shop: House, stripe: Simulator) -> Till:
    return Till(shop, stripe)


def until_over(shop: House, result: Result) -> Result:
    """Run a job again and again, as if its times had come."""
    for _ in range(6):
        if result.state not in {"waiting", "checking"}:
            return result
        result = shop.operate(result.job_id)
    raise AssertionError(f"the job does not end: {result}")


@pytest.mark.parametrize(("amount", "received"), [(None, 4950), (4950, 4950), (1200, 1200)])
def test_a_hold_is_captured_whole_or_in_part(till: Till, amount: int | None, received: int) -> None:
    till.held()
    assert till.does(capture_of(till.payment_id, amount)).state == "done"
    assert (till.intent["status"], till.intent["amount_received"]) == ("succeeded", received)
    assert (till.view.status, till.view.amount, till.view.amount_received) == ("paid", 4950, received)
    assert (till.view.amount_capturable, till.view.amount_refunded, till.view.capture_before) == (0, 0, None)


def test_a_hold_shows_how_much_is_held_and_until_when(shop: House, till: Till) -> None:
    till.held()
    with shop.runtime.transaction(Step.BATCH) as session:
        payment = locked(session, till.payment_id)
        mark_dirty(payment)
        ask_for_refresh(session, shop.runtime, payment, slot="now", request_id="")
    shop.refresh_all()
    assert (till.view.status, till.view.amount_capturable) == ("requires_capture", 4950)
    before = till.intent["latest_charge"]["payment_method_details"]["card"]["capture_before"]
    assert dt.datetime.fromisoformat(till.view.capture_before).timestamp() == before


def test_a_second_capture_is_done_if_it_asks_for_the_same_and_refused_otherwise(till: Till) -> None:
    till.held()
    assert till.does(capture_of(till.payment_id, 1200)).state == "done"
    assert till.does(capture_of(till.payment_id, 1200)).state == "done"
    for amount in (None, 1199):
        again = till.does(capture_of(till.payment_id, amount))
        assert (again.state, till.problem(again)) == ("refused", "payment_already_paid")
    assert till.intent["amount_received"] == 1200


@pytest.mark.parametrize(
    ("arrange", "amount", "code"),
    [
        (Till.made, None, "payment_not_capturable"),
        (Till.confirmed, None, "payment_not_capturable"),
        (Till.held, 4951, "amount_too_large"),
        (lambda till: till.held(amount=5120, currency="kwd"), 2564, "amount_not_rounded"),
        (lambda till: till.made(capture_method="manual"), None, "payment_not_capturable"),
    ],
    ids=["automatic", "paid", "too much", "not rounded", "not confirmed"],
)
def test_what_can_not_be_captured_is_refused_with_its_reason(
    till: Till, arrange: Callable[[Till], Till], amount: int | None, code: str
) -> None:
    arrange(till)
    before = till.view.status
    result = till.does(capture_of(till.payment_id, amount))
    assert (result.state, till.problem(result)) == ("refused", code)
    assert till.view.status == before != "failed"


@pytest.mark.parametrize("arrange", [Till.made, Till.held], ids=["open", "held"])
def test_a_payment_that_is_not_paid_can_be_given_up(till: Till, arrange: Callable[[Till], Till]) -> None:
    arrange(till)
    assert till.does(cancel_of(till.payment_id, "abandoned")).state == "done"
    assert (till.intent["status"], till.intent["cancellation_reason"]) == ("canceled", "abandoned")
    assert (till.view.status, till.view.amount_capturable) == ("canceled", 0)
    assert till.does(cancel_of(till.payment_id)).state == "done"
    capture = till.does(capture_of(till.payment_id))
    assert capture.state == "refused"


def test_a_paid_payment_can_not_be_given_up_and_reads_paid_at_once(till: Till) -> None:
    till.confirmed()
    assert till.view.status == "requires_confirmation"  # no event was heard
    result = till.does(cancel_of(till.payment_id))
    assert (result.state, till.problem(result)) == ("refused", "payment_already_paid")
    assert (till.view.status, till.view.amount_received) == ("paid", 4950)


def test_amount_description_and_metadata_are_changed_before_the_payment_is_confirmed(shop: House, till: Till) -> None:
    till.made()
    change = update_of(till.payment_id, 3000, "Two places", {"course": "", "seats": "2", "booking_reference": "other"})
    assert till.does(change).state == "done"
    shop.refresh_all()
    intent, row = till.intent, shop.payment(till.payment_id)
    assert (intent["amount"], intent["description"]) == (3000, "Two places")
    assert (intent["metadata"]["seats"], intent["metadata"]["booking_reference"]) == ("2", row["booking_reference"])
    assert intent["metadata"]["tollgate_operation"] == f"{till.payment_id}/create/1"
    assert "course" not in intent["metadata"]
    assert till.view.amount == 3000
    ring = shop.runtime.settings.encryption_keys
    assert decrypt(ring, "payments", "description", till.payment_id, row["description"]) == "Two places"
    kept = json.loads(decrypt(ring, "payments", "booking_metadata", till.payment_id, row["booking_metadata"]))
    assert kept == {"seats": "2", "booking_reference": "other"}


@pytest.mark.parametrize(
    ("arrange", "amount", "code"),
    [
        (Till.made, 29, "amount_too_small"),
        (Till.confirmed, 3000, "payment_already_paid"),
        (Till.held, 3000, "payment_not_updatable"),
    ],
    ids=["too little", "paid", "held"],
)
def test_what_can_not_be_changed_is_refused_with_its_reason(
    till: Till, arrange: Callable[[Till], Till], amount: int, code: str
) -> None:
    arrange(till)
    result = till.does(update_of(till.payment_id, amount))
    assert (result.state, till.problem(result)) == ("refused", code)
    assert till.intent["amount"] == 4950


OPERATIONS: dict[str, tuple[Callable[[Till], Till], Callable[[str], Any], str]] = {
    "capture": (Till.held, lambda name: capture_of(name, 1200), "paid"),
    "cancel": (Till.held, cancel_of, "canceled"),
    "update": (Till.made, lambda name: update_of(name, 3000), "requires_confirmation"),
}


def path_of(verb: str) -> dict[str, Any]:
    return {"method": "POST", "path": "^/v1/payment_intents/[^/]+" + ("$" if verb == "update" else f"/{verb}$")}


@pytest.mark.parametrize(
    ("verb", "fault"),
    [
        ("capture", {"do": "drop"}),
        ("capture", {"do": "reset"}),
        ("capture", {"do": "status", "effect": True}),
        ("capture", {"do": "lock_timeout"}),
        ("cancel", {"do": "drop"}),
        ("update", {"do": "drop"}),
        ("update", {"do": "status", "effect": True}),
    ],
)
def test_an_operation_is_done_once_whatever_befalls_its_request(
    shop: House, stripe: Simulator, till: Till, verb: str, fault: dict[str, Any]
) -> None:
    arrange, contract, status = OPERATIONS[verb]
    arrange(till)
    stripe.faults({**fault, "match": path_of(verb)})
    assert until_over(shop, till.does(contract(till.payment_id))).state == "done"
    shop.refresh_all()
    assert till.view.status == status
    assert till.view.amount_received == (1200 if verb == "capture" else 0)
    assert till.intent["amount"] == (3000 if verb == "update" else 4950)


@pytest.mark.parametrize("verb", OPERATIONS)
def test_a_stored_failure_without_effect_is_overcome_by_the_next_generation_after_minutes(
    shop: House, stripe: Simulator, till: Till, verb: str
) -> None:
    arrange, contract, _ = OPERATIONS[verb]
    arrange(till)
    stripe.faults({"do": "status", "match": path_of(verb)})
    result = till.does(contract(till.payment_id))
    assert [result.state, shop.operate(result.job_id).state] == ["checking", "checking"]
    shop.age_intent(result.job_id, shop.runtime.settings.jobs.generation_wait + 60)
    assert shop.operate(result.job_id).state == "done"
    assert shop.job(result.job_id)["intent"] == f"{result.job_id}/{verb}/2"


def test_the_intent_is_committed_before_stripe_is_asked(shop: House, till: Till) -> None:
    till.held()
    job_id = till.asks(capture_of(till.payment_id, 1200))
    gateway, seen = shop.runtime.stripe, []

    def look(name: str, **arguments: Any) -> Any:
        seen.append((shop.job(job_id)["intent"], arguments["idempotency_key"]))
        return gateway.capture_payment_intent(name, **arguments)

    fake = FakeStripe(capture_payment_intent=look)
    assert shop.operate(job_id, shop.with_stripe(fake)).state == "done"
    assert seen == [(f"{job_id}/capture/1", f"tollgate/{job_id}/capture/1")]


def test_after_its_key_may_be_forgotten_nothing_is_sent_again(shop: House, stripe: Simulator, till: Till) -> None:
    till.held()
    stripe.faults({"do": "refuse", "match": path_of("capture")}, {"do": "status", "match": path_of("capture")})
    result = till.does(capture_of(till.payment_id))
    if result.state == "waiting":
        result = shop.operate(result.job_id)
    assert result.state == "checking"
    shop.age_intent(result.job_id, shop.runtime.settings.jobs.resend_limit + 60)
    assert shop.operate(result.job_id).state == "checking"
    assert till.intent["status"] == "requires_capture"


@pytest.mark.parametrize(("acted", "state"), [(True, "done"), (False, "cancelled")])
def test_an_operation_that_an_operator_cancels_is_looked_for_before_it_ends(
    shop: House, stripe: Simulator, till: Till, acted: bool, state: str
) -> None:
    till.held()
    stripe.faults({"do": "status", "match": path_of("capture"), "effect": acted})
    result = till.does(capture_of(till.payment_id))
    assert result.state == "checking"
    shop.sql(
        "UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '10 minutes' WHERE id = :id", id=result.job_id
    )
    assert shop.operate(result.job_id).state == state
    assert till.intent["status"] == ("succeeded" if acted else "requires_capture")


def test_an_operation_waits_for_the_payment_that_is_still_being_made(shop: House, till: Till) -> None:
    till.accepted(capture_method="manual")
    result = till.does(cancel_of(till.payment_id))
    assert (result.state, shop.job(result.job_id)["last_error"]["type"]) == ("waiting", "PaymentNotHere")
    for _ in range(8):
        assert shop.operate(result.job_id).state == "waiting"
    assert shop.create(till.job_id).state == "done"
    assert shop.operate(result.job_id).state == "done"
    assert (till.view.status, till.intent["status"]) == ("canceled", "canceled")


def test_an_operation_waits_while_it_is_not_known_whether_the_payment_was_made(
    shop: House, stripe: Simulator, till: Till
) -> None:
    till.accepted()
    stripe.faults({"do": "drop", "match": {"method": "POST", "path": "^/v1/payment_intents$"}})
    assert shop.create(till.job_id).state == "checking"
    result = till.does(cancel_of(till.payment_id))
    assert (result.state, shop.job(result.job_id)["last_error"]["type"]) == ("waiting", "PaymentNotMade")
    assert till.view.status == "checking"
    assert shop.create_again(till.job_id).state == "done"
    assert shop.operate(result.job_id).state == "done"


@pytest.mark.parametrize(
    ("status", "contract", "state"),
    [
        ("canceled", cancel_of, "done"),
        ("failed", cancel_of, "payment_not_cancelable"),
        ("canceled", update_of, "payment_not_updatable"),
        ("failed", update_of, "payment_not_updatable"),
    ],
)
def test_of_a_payment_that_was_never_made_nothing_is_asked(
    shop: House, till: Till, status: str, contract: Callable[[str], Any], state: str
) -> None:
    till.accepted()
    refused = {"failed": "amount_too_small", "canceled": ""}[status]
    if refused:
        shop.create(till.job_id, shop.with_stripe(refusing(refused)))
    else:
        shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() WHERE id = :id", id=till.job_id)
        shop.create(till.job_id)
    assert till.view.status == status
    fake = FakeStripe()
    result = shop.operate(till.asks(contract(till.payment_id)), shop.with_stripe(fake))
    assert (result.state if state == "done" else till.problem(result)) == state
    assert fake.asked == []


def refusing(code: str) -> FakeStripe:
    def refuse(**_: Any) -> Any:
        raise StripeInvalidError(code=code)

    return FakeStripe(create_customer=refuse)


def test_operations_that_were_taken_in_late_are_done_in_the_order_of_their_acceptance_too(
    shop: House, till: Till
) -> None:
    till.made()
    first, second = till.asks(update_of(till.payment_id, 3000)), till.asks(update_of(till.payment_id, 2000))
    shop.sql(
        "UPDATE jobs SET accepted_at = accepted_at - interval '6 minutes' WHERE id = ANY(:ids)", ids=[first, second]
    )
    assert (shop.operate(second).state, shop.job(second)["intent"]) == ("checking", None)
    for job_id in (first, second):
        assert shop.operate(job_id).state == "done"
        assert shop.job(job_id)["intent"] is not None
    assert till.intent["amount"] == 2000


def test_operations_on_one_payment_are_done_in_the_order_of_their_acceptance(
    shop: House, stripe: Simulator, till: Till
) -> None:
    till.made()
    stripe.faults({"do": "drop", "match": path_of("update")})
    first = till.does(update_of(till.payment_id, 3000))
    assert first.state == "checking"
    second = till.does(update_of(till.payment_id, 2000))
    assert (second.state, shop.job(second.job_id)["last_error"]["type"]) == ("waiting", "EarlierOperation")
    assert shop.operate(first.job_id).state == "done"
    assert shop.operate(second.job_id).state == "done"
    shop.refresh_all()
    assert (till.intent["amount"], till.view.amount) == (2000, 2000)


def test_a_refund_waits_for_the_capture_that_was_accepted_before_it(shop: House, till: Till) -> None:
    till.held()
    shop.refresh_all()
    capture = till.asks(capture_of(till.payment_id))
    refund = refund_entry(till.payment_id)
    shop.take_in(refund)
    waits = shop.refund(refund.job_id)
    assert (waits.state, shop.job(refund.job_id)["last_error"]["type"]) == ("waiting", "EarlierOperation")
    assert shop.operate(capture).state == "done"
    assert shop.refund(refund.job_id).state == "done"
    assert till.intent["latest_charge"]["amount_refunded"] == till.intent["amount_received"]


def test_an_update_that_comes_after_a_later_one_was_done_does_not_undo_it(shop: House, till: Till) -> None:
    """Its entry was with a dispatcher that died."""
    till.made()
    later = till.does(update_of(till.payment_id, 2000))
    earlier = till.asks(update_of(till.payment_id, 3000))
    shop.grow_older(earlier, 5)
    refused = shop.operate(earlier)
    assert (later.state, refused.state, till.problem(refused)) == ("done", "refused", "update_overtaken")
    assert till.intent["amount"] == 2000


@pytest.mark.parametrize("sent", [False, True], ids=["surely not sent", "perhaps sent"])
def test_a_replayed_update_does_not_undo_a_later_one(shop: House, stripe: Simulator, till: Till, sent: bool) -> None:
    till.made()
    if sent:
        stripe.faults({"do": "drop", "effect": False, "match": path_of("update")})
    earlier = till.asks(update_of(till.payment_id, 3000))
    states = {shop.operate(earlier).state} if sent else set()
    shop.sql("UPDATE jobs SET expires_at = clock_timestamp() - interval '8 days' WHERE id = :id", id=earlier)
    states.add(shop.operate(earlier).state)
    assert states == ({"checking", "dead"} if sent else {"dead"})
    assert till.does(update_of(till.payment_id, 2000)).state == "done"
    with shop.runtime.transaction(Step.OUTCOME) as session:
        dead.replay(session, [earlier], Operator("ada", "test"))
    refused = shop.operate(earlier)
    assert (refused.state, till.problem(refused)) == ("refused", "update_overtaken")
    assert till.intent["amount"] == 2000


def test_what_another_client_asks_of_a_payment_holds_up_nobody(shop: House, till: Till) -> None:
    till.made()
    shop.add_client("another")
    others = till.does(cancel_of(till.payment_id), client="another")
    assert (others.state, shop.job(others.job_id)["last_error"]["type"]) == ("waiting", "PaymentNotHere")
    assert till.does(update_of(till.payment_id, 3000)).state == "done"
    assert (till.intent["status"], till.intent["amount"]) == ("requires_payment_method", 3000)


def test_a_payment_that_its_client_was_shown_is_waited_for(shop: House, till: Till) -> None:
    job_id = till.asks(CapturePayment("pay_" + "b" * 26, None, shown=True))
    assert {shop.operate(job_id).state for _ in range(8)} == {"waiting"}


def test_another_clients_payment_and_one_that_never_comes_are_unknown(shop: House, till: Till) -> None:
    till.held()
    shop.add_client("other")
    strange = till.asks(capture_of(till.payment_id), client="other")
    never = till.asks(capture_of("pay_" + "a" * 26))
    for job_id in (strange, never):
        assert {shop.operate(job_id).state for _ in range(8)} == {"waiting"}, "its entry may be on its way"
        shop.grow_older(job_id, FRESH_SECONDS)
        assert shop.operate(job_id).state == "refused"
        assert shop.job(job_id)["problem"]["code"] == "payment_unknown"
    assert till.intent["status"] == "requires_capture"
