"""Events: whatever order, number and company they come in, a payment ends as Stripe knows it."""

from __future__ import annotations

import dataclasses
import json
import random
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, new_key, payment_entry
from tests.builders.house import REFRESH, House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import (
    AMOUNT,
    DECLINED,
    FakeStripe,
    Object,
    answer_of,
    charge,
    dispute,
    event,
    intent,
    refund,
    refunds_of,
)
from workers.jobs.run import run_job
from workers.runtime import Runtime
from workers.services.payment_intents import Made
from workers.services.payments import _record

pytestmark = pytest.mark.servers
MOST_ROUNDS = 5  # of refreshes; each leaves at most one that was asked for meanwhile
ANY_ORDER = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclasses.dataclass(frozen=True)
class Known:
    """A payment whose create job is under way, and the names under which Stripe knows it."""

    id: str
    job_id: str
    intent: str

    @property
    def operation(self) -> str:
        return f"{self.id}/create/1"

    def pi(self, status: str, **changes: Any) -> Object:
        return intent(self.intent, status, operation=self.operation, **changes)

    def ch(self, status: str, **changes: Any) -> Object:
        return charge(self.intent, status, operation=self.operation, **changes)


def under_way(house: House) -> Known:
    """Let a payment's intent be committed and Stripe be asked, but not have answered."""
    entry = payment_entry()
    house.take_in(entry)

    def lost(**_: Any) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        house.create(entry.job_id, house.with_stripe(FakeStripe(create_customer=lost)))
    return Known(entry.subject_id, entry.job_id, f"pi_{new_key()}")


def deliver(house: House, *bodies: bytes, runtime: Runtime | None = None) -> list[str]:
    """Let events come, each of them whenever it wants again; return the states of their jobs."""
    taken = [event_entry(body) for body in bodies]
    house.take_in(*taken)
    for entry in taken:
        house.make_due(entry.job_id)
    results = {
        result.job_id: result.state for result in house.handle(*(entry.job_id for entry in taken), runtime=runtime)
    }
    return [results.get(entry.job_id, "known") for entry in taken]


def respond(house: House, known: Known, thing: Object, at: int) -> None:
    """Let the response of the create call be recorded."""
    with house.runtime.transaction(Step.OUTCOME) as session:
        _record(session, house.runtime, known.id, Made(answer_of(thing, at), "response"))


def settle(house: House, truth: Object, at: int = 1000) -> int:
    """Run refresh jobs until none is left; Stripe tells the truth. Return how often it was asked for the payment."""
    stripe = FakeStripe(
        retrieve_payment_intent=lambda **_: answer_of(truth, at),
        list_refunds=lambda **_: refunds_of(*_refunds(truth), at=at),
    )
    for _ in range(MOST_ROUNDS):
        if not house.refresh_all(house.with_stripe(stripe)):
            return stripe.names().count("retrieve_payment_intent")
    raise AssertionError("refreshes never end")


def _refunds(truth: Object) -> list[Object]:
    """Return the refunds that Stripe lists beside the truth: what its charge says was given back, in one."""
    paid = truth["latest_charge"]
    back = paid["amount_refunded"] if isinstance(paid, dict) else 0
    listed: list[Object] = truth.get("refunds", [refund(truth["id"], back)] if back else [])
    return listed


def final(house: House, known: Known) -> tuple[Any, ...]:
    row = house.payment(known.id)
    assert row["dirty"] is False
    return tuple(
        row[name]
        for name in (
            "status",
            "amount_received",
            "amount_refunded",
            "disputed",
            "stripe_id",
            "stripe_status",
            "decline_code",
        )
    )


# Order and repetition

Story = Callable[[Known], tuple[list[bytes], Object]]


def paid_at_once(known: Known) -> tuple[list[bytes], Object]:
    truth = known.pi("succeeded", latest_charge=known.ch("succeeded"))
    return [
        event("payment_intent.created", known.pi("requires_payment_method")),
        event("charge.succeeded", known.ch("succeeded"), 5),
        event("payment_intent.succeeded", known.pi("succeeded", latest_charge=f"ch_{known.intent}"), 5),
        event("charge.updated", known.ch("succeeded"), 5),
    ], truth


def declined_then_paid(known: Known) -> tuple[list[bytes], Object]:
    bodies, truth = paid_at_once(known)
    declined = known.pi("requires_payment_method", last_payment_error=DECLINED)
    return [
        *bodies,
        event("charge.failed", known.ch("failed", failure_code="card_declined"), 3),
        event("payment_intent.payment_failed", declined, 3),
    ], truth


def all_in_one_second(known: Known) -> tuple[list[bytes], Object]:
    declined = known.pi("requires_payment_method", last_payment_error=DECLINED)
    return [
        event("payment_intent.created", known.pi("requires_payment_method")),
        event("payment_intent.requires_action", known.pi("requires_action")),
        event("payment_intent.payment_failed", declined),
        event("charge.failed", known.ch("failed", failure_code="card_declined")),
    ], declined


def refunded_in_part(known: Known) -> tuple[list[bytes], Object]:
    bodies, _ = paid_at_once(known)
    back = known.ch("succeeded", amount_refunded=1000)
    return [
        *bodies,
        event("charge.refunded", back, 20),
    ], known.pi("succeeded", latest_charge=back)


def refunded_and_disputed(known: Known) -> tuple[list[bytes], Object]:
    bodies, _ = paid_at_once(known)
    back = known.ch("succeeded", amount_refunded=1000, disputed=True)
    return [
        *bodies,
        event("charge.refund.updated", refund(known.intent, 1000), 20),
        event("charge.dispute.created", dispute(known.intent), 30),
    ], known.pi("succeeded", latest_charge=back)


def refund_that_came_back(known: Known) -> tuple[list[bytes], Object]:
    """A refund in Stripe's dashboard succeeds, and days later the customer's bank sends it back."""
    bodies, _ = paid_at_once(known)
    made, failed = (
        refund(known.intent, 1000),
        refund(known.intent, 1000, "failed", failure_reason="lost_or_stolen_card"),
    )
    return [
        *bodies,
        event("refund.created", made, 20),
        event("charge.refunded", known.ch("succeeded", amount_refunded=1000), 20),
        event("charge.refund.updated", failed, 50),
        event("refund.updated", failed, 50),
        event("refund.failed", failed, 50),
    ], known.pi("succeeded", latest_charge=known.ch("succeeded"), refunds=[failed])


def refund_that_was_slow(known: Known) -> tuple[list[bytes], Object]:
    """A refund is pending first, beside one that is not."""
    bodies, _ = paid_at_once(known)
    slow, quick = partial(refund, known.intent, 1000), refund(known.intent, 500, id=f"re_2_{known.intent}")
    return [
        *bodies,
        event("refund.created", slow("pending"), 20),
        event("charge.refunded", known.ch("succeeded", amount_refunded=1000), 20),
        event("refund.created", quick, 21),
        event("charge.refunded", known.ch("succeeded", amount_refunded=1500), 21),
        event("refund.updated", slow("succeeded"), 30),
        event("charge.refund.updated", slow("succeeded"), 30),
    ], known.pi(
        "succeeded",
        latest_charge=known.ch("succeeded", amount_refunded=1500),
        refunds=[quick, slow("succeeded")],
    )


def canceled(known: Known) -> tuple[list[bytes], Object]:
    truth = known.pi("canceled")
    return [
        event("payment_intent.created", known.pi("requires_payment_method")),
        event("payment_intent.requires_action", known.pi("requires_action"), 2),
        event("payment_intent.canceled", truth, 9),
    ], truth


STORIES: dict[Story, tuple[Any, ...]] = {
    paid_at_once: ("paid", AMOUNT, 0, False, "succeeded", None),
    declined_then_paid: ("paid", AMOUNT, 0, False, "succeeded", None),
    all_in_one_second: ("declined", 0, 0, False, "requires_payment_method", "insufficient_funds"),
    refunded_in_part: ("partially_refunded", AMOUNT, 1000, False, "succeeded", None),
    refunded_and_disputed: ("disputed", AMOUNT, 1000, True, "succeeded", None),
    refund_that_came_back: ("paid", AMOUNT, 0, False, "succeeded", None),
    refund_that_was_slow: ("partially_refunded", AMOUNT, 1500, False, "succeeded", None),
    canceled: ("canceled", 0, 0, False, "canceled", None),
}
REFUNDS: dict[Story, list[tuple[int, str]]] = {
    refunded_in_part: [(1000, "succeeded")],
    refunded_and_disputed: [(1000, "succeeded")],
    refund_that_came_back: [(1000, "failed")],
    refund_that_was_slow: [(500, "succeeded"), (1000, "succeeded")],
}
BY_ID_ALONE = (
    "refund.",
    "charge.refund.",
    "charge.dispute.",
)  # these find a payment only once its PaymentIntent is known


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_any_order_and_repetition_of_events_and_the_response_end_alike(house: House, story: Story) -> None:
    @ANY_ORDER
    @given(st.data())
    def check(data: st.DataObject) -> None:
        known = under_way(house)
        bodies, truth = story(known)
        steps: list[bytes | None] = data.draw(st.permutations([*bodies, None]))
        steps += data.draw(st.lists(st.sampled_from(bodies), max_size=3))
        if any(json.loads(steps[0] or b'{"type": ""}')["type"].startswith(kind) for kind in BY_ID_ALONE):
            steps = [None, *steps[1:], steps[0]]
        pauses = data.draw(st.lists(st.booleans(), min_size=len(steps), max_size=len(steps)))
        for step, pause in zip(steps, pauses, strict=True):
            if step is None:
                respond(house, known, known.pi("requires_payment_method"), 0)
            else:
                deliver(house, step)
            if pause:
                settle(house, truth)
        settle(house, truth)
        status, received, refunded, disputed, at_stripe, decline = STORIES[story]
        assert final(house, known) == (status, received, refunded, disputed, known.intent, at_stripe, decline)
        assert house.payment(known.id)["client_secret"] is not None
        refunds = house.sql("SELECT * FROM refunds WHERE payment_id = :id ORDER BY amount", id=known.id)
        assert [(row["amount"], row["status"]) for row in refunds] == REFUNDS.get(story, [])
        flags = house.sql(
            "SELECT f.kind FROM flags f JOIN refunds r ON r.id = subject_id WHERE payment_id = :id", id=known.id
        )
        assert [row["kind"] for row in flags] == ["refund_failed"] * (story is refund_that_came_back)

    check()


@pytest.mark.parametrize("seed", range(4))
def test_the_simulators_own_events_in_any_order_and_batch_end_as_the_simulator_has_it(
    shop: House, stripe: Simulator, seed: int
) -> None:
    chance = random.Random(seed)
    entry = payment_entry()
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    name = shop.payment(entry.subject_id)["stripe_id"]
    secret = str(stripe.client.v1.payment_intents.retrieve(name).client_secret)
    shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, "4000000000009995")
    shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, "4242424242424242")
    stripe.client.v1.refunds.create({"payment_intent": name, "amount": 950})
    bodies = [body for _, body in stripe.events_of(name)]
    assert len(bodies) >= 6
    delivered = bodies * 2
    chance.shuffle(delivered)
    while delivered:
        size = chance.randint(1, 4)
        deliver(shop, *delivered[:size])
        delivered = delivered[size:]
    while shop.refresh_all():
        pass
    row = shop.payment(entry.subject_id)
    assert (row["status"], row["amount_received"], row["amount_refunded"]) == ("partially_refunded", AMOUNT, 950)
    assert row["dirty"] is False


# One event


def test_an_event_moves_its_payment_and_is_recorded_with_its_evidence(house: House) -> None:
    known = under_way(house)
    body = event("payment_intent.succeeded", known.pi("succeeded"), 5, name="evt_the_one")
    assert deliver(house, body) == ["done"]
    assert house.payment(known.id)["status"] == "paid"
    row = house.one("SELECT * FROM stripe_events WHERE id = 'evt_the_one'")
    assert (row["outcome"], row["payment_id"], row["object_id"]) == ("applied", known.id, known.intent)
    last = house.sql("SELECT * FROM history WHERE subject_id = :id ORDER BY id", id=known.id)[-1]
    assert (last["old"], last["new"], last["source"], last["evidence"]) == (
        "processing",
        "paid",
        "event",
        "evt_the_one",
    )


def test_an_event_that_comes_again_is_the_same_job_even_with_another_count_of_endpoints(house: House) -> None:
    known = under_way(house)
    body = event("payment_intent.succeeded", known.pi("succeeded"), 5)
    again = json.dumps({**json.loads(body), "pending_webhooks": 3}).encode()
    assert deliver(house, body) == ["done"]
    assert deliver(house, again) == ["known"]
    assert len(house.jobs("stripe.event")) == 1
    assert house.moves(known.id).count("paid") == 1


def test_an_event_that_comes_before_its_payment_waits_for_it(house: House) -> None:
    entry = payment_entry()
    known = Known(entry.subject_id, entry.job_id, "pi_early")
    body = event("payment_intent.succeeded", known.pi("succeeded"), 5)
    assert deliver(house, body) == ["waiting"]
    assert house.sql("SELECT 1 FROM stripe_events") == []
    house.take_in(entry)
    house.create(entry.job_id, house.with_stripe(FakeStripe()))
    assert deliver(house, body) == ["done"]
    assert house.payment(known.id)["status"] == "paid"


@pytest.mark.parametrize(
    "thing",
    [
        intent("pi_of_another", "succeeded"),
        intent("pi_of_another", "succeeded", operation="order-17"),
        intent("pi_of_another", "succeeded", operation="inv_abc/create/1"),
        charge("pi_of_another", "succeeded"),
        dispute("pi_of_another"),
        {"object": "charge", "id": "ch_direct", "payment_intent": None, "metadata": None},
    ],
    ids=lambda thing: str(thing["id"]) + str(thing.get("metadata")),
)
def test_an_object_that_is_none_of_ours_is_closed_as_foreign(house: House, thing: Object) -> None:
    under_way(house)
    assert deliver(house, event(f"{thing['object']}.updated".replace("dispute", "charge.dispute"), thing)) == ["done"]
    assert house.one("SELECT outcome FROM stripe_events")["outcome"] == "foreign"


@pytest.mark.parametrize("noun", [intent, charge])
def test_what_another_tollgate_on_the_same_account_has_made_is_foreign_at_once(
    house: House, noun: Callable[..., Object]
) -> None:
    thing = noun("pi_1", "succeeded", operation=f"pay_{'a' * 26}/create/1")
    thing["metadata"]["tollgate_system"] = system_id(b"another installation's key")
    assert deliver(house, event(f"{thing['object']}.updated", thing)) == ["done"]
    assert house.one("SELECT outcome FROM stripe_events")["outcome"] == "foreign"


def test_what_this_tollgate_has_made_waits_for_its_payment(house: House) -> None:
    thing = intent("pi_1", "succeeded", operation=f"pay_{'a' * 26}/create/1")
    thing["metadata"]["tollgate_system"] = system_id(house.runtime.settings.derivation_key)
    assert deliver(house, event("payment_intent.succeeded", thing)) == ["waiting"]


def test_a_second_payment_intent_of_one_operation_never_replaces_the_first(house: House) -> None:
    known = under_way(house)
    deliver(house, event("payment_intent.succeeded", known.pi("succeeded"), 5))
    orphan = intent("pi_orphan", "canceled", operation=known.operation)
    deliver(house, event("payment_intent.canceled", orphan, 9))
    assert house.payment(known.id)["stripe_id"] == known.intent
    assert house.payment(known.id)["status"] == "paid"
    assert [row["outcome"] for row in house.sql("SELECT outcome FROM stripe_events ORDER BY created")] == [
        "applied",
        "foreign",
    ]


@pytest.mark.parametrize("kind", ["customer.created", "product.created", "a.type.of.the.future"])
def test_a_type_that_means_nothing_to_us_is_recorded(house: House, kind: str) -> None:
    assert deliver(house, event(kind, {"object": "thing", "id": "th_1"})) == ["done"]
    assert house.one("SELECT outcome, object_id FROM stripe_events") == {"outcome": "recorded", "object_id": "th_1"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"id": "evt_1", "type": "x", "created": 1e999, "data": {"object": {}}}',
        b"\xff",
    ],
)
def test_what_is_no_event_is_dead_with_its_reason(house: House, body: bytes) -> None:
    entry = event_entry(body, "evt_1")
    house.take_in(entry)
    [result] = house.handle(entry.job_id)
    row = house.job(entry.job_id)
    assert (result.state, row["verdict"], row["problem"]["code"]) == ("dead", "never", "unreadable")


def test_an_event_that_cannot_be_applied_is_put_aside_while_the_others_of_its_batch_go_on(house: House) -> None:
    payments = [under_way(house) for _ in range(7)]
    house.force("UPDATE payments SET status = 'refunded' WHERE id = :id", id=payments[3].id)
    bodies = [event("payment_intent.succeeded", each.pi("succeeded"), 5) for each in payments]
    bodies[3] = event("payment_intent.requires_action", payments[3].pi("requires_action"), 5)
    assert deliver(house, *bodies) == ["done"] * 3 + ["waiting"] + ["done"] * 3
    assert [house.payment(each.id)["status"] for each in payments] == ["paid"] * 3 + ["refunded"] + ["paid"] * 3


def test_an_event_whose_object_cannot_be_read_is_dead_while_the_others_of_its_batch_go_on(house: House) -> None:
    payments = [under_way(house) for _ in range(7)]
    bodies = [event("payment_intent.succeeded", each.pi("succeeded"), 5) for each in payments]
    bodies[3] = event("payment_intent.succeeded", payments[3].pi("succeeded", amount="a lot"), 5)
    told = deliver(house, *bodies)
    assert told == ["done"] * 3 + ["dead"] + ["done"] * 3
    assert [house.payment(each.id)["status"] for each in payments] == ["paid"] * 3 + ["processing"] + ["paid"] * 3


# Old and new


def test_a_late_response_never_overwrites_a_newer_event(house: House) -> None:
    known = under_way(house)
    deliver(house, event("payment_intent.requires_action", known.pi("requires_action"), 5))
    respond(house, known, known.pi("requires_payment_method"), 3)
    assert house.payment(known.id)["status"] == "requires_action"


@pytest.mark.parametrize("end", ["succeeded", "canceled"])
def test_an_end_is_never_overwritten_however_new_the_contradiction(house: House, end: str) -> None:
    known = under_way(house)
    deliver(house, event(f"payment_intent.{end}", known.pi(end), 5))
    before = house.payment(known.id)["status"]
    deliver(house, event("payment_intent.requires_action", known.pi("requires_action"), 50))
    respond(house, known, known.pi("requires_payment_method"), 60)
    assert house.payment(known.id)["status"] == before


def test_a_tie_within_one_second_is_fetched_once(house: House) -> None:
    known = under_way(house)
    action = event("payment_intent.requires_action", known.pi("requires_action"), 5)
    failed = event("payment_intent.payment_failed", known.pi("requires_payment_method", last_payment_error=DECLINED), 5)
    deliver(house, action)
    deliver(house, failed)
    assert house.payment(known.id)["dirty"] is True
    assert settle(house, known.pi("requires_action")) == 1
    assert final(house, known)[0] == "requires_action"


def test_between_what_may_alternate_of_a_refund_the_clock_decides_and_within_one_second_a_fetch(house: House) -> None:
    known = under_way(house)
    deliver(house, event("payment_intent.succeeded", known.pi("succeeded"), 5))
    told = ((7, "pending", "pending"), (9, "requires_action", "requires_action"), (8, "pending", "requires_action"))
    for at, status, then in told:
        deliver(house, event("refund.updated", refund(known.intent, 1000, status), at))
        assert house.one("SELECT status FROM refunds")["status"] == then
    assert house.payment(known.id)["dirty"] is False
    deliver(house, event("refund.updated", refund(known.intent, 1000, "pending"), 9))
    assert house.one("SELECT status FROM refunds")["status"] == "requires_action"
    assert house.payment(known.id)["dirty"] is True


def test_a_plain_payment_needs_no_fetch_when_its_own_event_comes_soon_after_its_charges(house: House) -> None:
    known = under_way(house)
    bodies, truth = paid_at_once(known)
    for body in bodies:
        deliver(house, body)
    assert settle(house, truth) == 0
    assert final(house, known)[0] == "paid"


def test_a_refund_heard_of_while_a_fetch_was_under_way_is_not_lost(house: House) -> None:
    """The fetch saw the payment before its refund, and is recorded after the refund's event."""
    known = under_way(house)
    deliver(house, event("payment_intent.succeeded", known.pi("succeeded"), 5))
    deliver(house, event("charge.dispute.created", dispute(known.intent, status="won"), 6))

    def before_the_refund(**_: Any) -> Any:
        deliver(house, event("charge.refund.updated", refund(known.intent, 1000), 7))
        return answer_of(known.pi("succeeded", latest_charge=known.ch("succeeded")), 6)

    stripe = FakeStripe(retrieve_payment_intent=before_the_refund)
    [row] = house.sql("SELECT id FROM jobs WHERE kind = 'payments.refresh' AND state = 'ready'")
    house.make_due(row["id"])
    run_job(house.with_stripe(stripe), row["id"], REFRESH)
    settle(house, known.pi("succeeded", latest_charge=known.ch("succeeded", amount_refunded=1000)))
    assert final(house, known)[:3] == ("partially_refunded", AMOUNT, 1000)


def test_a_payment_found_refunded_of_which_nothing_was_heard_is_taken_as_it_is(house: House) -> None:
    known = under_way(house)
    respond(house, known, known.pi("requires_payment_method"), 0)
    deliver(house, event("charge.refunded", known.ch("succeeded", amount_refunded=AMOUNT), 9))
    settle(house, known.pi("succeeded", latest_charge=known.ch("succeeded", amount_refunded=AMOUNT)))
    assert final(house, known)[:3] == ("refunded", AMOUNT, AMOUNT)


def test_a_refresh_of_a_payment_whose_end_is_clear_asks_nobody(house: House) -> None:
    known = under_way(house)
    deliver(house, event("charge.succeeded", known.ch("succeeded"), 5))
    deliver(house, event("payment_intent.succeeded", known.pi("succeeded"), 5))
    assert settle(house, known.pi("succeeded")) == 0


# Side by side


def test_two_batches_in_opposite_order_do_not_deadlock(house: House) -> None:
    payments = [under_way(house) for _ in range(12)]

    def bodies(at: int, order: Sequence[Known]) -> list[bytes]:
        return [event("payment_intent.succeeded", each.pi("succeeded"), at) for each in order]

    told: list[str] = []
    for round_number in range(3):
        threads = [
            threading.Thread(target=lambda given=given: told.extend(deliver(house, *given)))
            for given in (bodies(5 + round_number, payments), bodies(6 + round_number, payments[::-1]))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert told == ["done"] * 72
    assert {house.payment(each.id)["status"] for each in payments} == {"paid"}
