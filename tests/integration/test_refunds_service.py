"""refunds.create against the simulator: each refund once, and never more given back than was taken."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from config import errors
from sandbox import shopper
from sandbox.simulator.account import PUBLISHABLE_KEY
from tasks.contracts.identity import system_id
from tasks.contracts.steps import Step
from tests.builders.entries import event_entry, payment_entry, refund_entry
from tests.builders.house import House
from tests.builders.simulator import Simulator
from tests.builders.stripe_events import FakeStripe
from workers.jobs import cancel, dead
from workers.jobs.operator import Operator
from workers.jobs.outcome import Outcome, finish
from workers.jobs.run import Result
from workers.runtime import Runtime
from workers.services.refunds import PATIENT_ATTEMPTS

pytestmark = pytest.mark.servers
REFUNDS = {"method": "POST", "path": "^/v1/refunds$"}
LISTS = {"method": "GET", "path": "^/v1/refunds$"}
GOOD_CARD = "4242424242424242"
AMOUNT = 4950
AT_ONCE = 12


@dataclass(frozen=True)
class Paid:
    """A payment that was paid, here and at Stripe."""

    id: str
    intent: str


@pytest.fixture
def shop(shared_shop: House) -> House:
    """One house for all tests here, which look at payments of their own alone."""
    return shared_shop


@pytest.fixture
def paid(shop: House, stripe: Simulator) -> Paid:
    return pay(shop, stripe)


def pay(shop: House, stripe: Simulator, card: str = GOOD_CARD, **changes: Any) -> Paid:
    entry = payment_entry(**changes)
    shop.take_in(entry)
    assert shop.create(entry.job_id).state == "done"
    secret = shop.payment_view(entry.subject_id).client_secret
    assert secret is not None
    assert shopper.pay(stripe.url, PUBLISHABLE_KEY, secret, card).status == "succeeded"
    made = Paid(entry.subject_id, secret.partition("_secret_")[0])
    hear(shop, stripe, made)
    assert shop.payment(made.id)["status"] == "paid"
    return made


def hear(shop: House, stripe: Simulator, paid: Paid, *kinds: str) -> None:
    """Let the events come that Stripe has of a payment, of some kinds or all; then fetch what is in doubt."""
    bodies = [body for kind, body in stripe.events_of(paid.intent) if not kinds or kind in kinds]
    entries = [event_entry(body) for body in bodies]
    shop.take_in(*entries)
    shop.handle(*(entry.job_id for entry in entries))
    settle(shop)


def settle(shop: House) -> None:
    for _ in range(4):
        if not shop.refresh_all():
            return
    raise AssertionError("refreshes never end")


def asked(shop: House, paid: Paid, **changes: Any) -> tuple[str, str]:
    """Take a refund in; return the ids of its job and of itself."""
    entry = refund_entry(paid.id, **changes)
    shop.take_in(entry)
    return entry.job_id, entry.subject_id


def at_stripe(stripe: Simulator, paid: Paid) -> list[Any]:
    return list(stripe.client.v1.refunds.list({"payment_intent": paid.intent, "limit": 100}).data)


def refusal(shop: House, job_id: str) -> str:
    row = shop.job(job_id)
    assert row["state"] == "refused", row["last_error"]
    return str(row["problem"]["code"])


def run_until_over(shop: House, job_id: str, runtime: Runtime | None = None) -> Result:
    for _ in range(6):
        result = shop.refund(job_id, runtime)
        if result.state not in {"waiting", "checking", "ready"}:
            return result
    raise AssertionError(f"the job does not end: {result}")


def assert_one(shop: House, stripe: Simulator, paid: Paid, refund_id: str, amount: int = AMOUNT) -> None:
    [found] = at_stripe(stripe, paid)
    row = shop.refund_row(refund_id)
    assert (row["status"], row["stripe_id"], row["amount"]) == ("succeeded", found.id, amount)
    assert found.amount == amount
    payment = shop.payment(paid.id)
    status = "refunded" if amount == AMOUNT else "partially_refunded"
    assert (payment["status"], payment["amount_refunded"]) == (status, amount)


# What is asked for


def test_all_of_a_payment_is_given_back_and_stripe_is_told_what_for(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid, reason="duplicate", metadata={"ticket": "T-1"})
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)
    found = at_stripe(stripe, paid)[0].to_dict()
    assert found["reason"] == "duplicate"
    assert found["metadata"] == {
        "ticket": "T-1",
        "tollgate_refund": refund_id,
        "tollgate_operation": f"{refund_id}/create/1",
        "tollgate_system": system_id(shop.runtime.settings.derivation_key),
    }
    assert shop.moves(refund_id) == ["processing", "succeeded"]
    assert shop.moves(paid.id)[-2:] == ["paid", "refunded"]
    assert shop.attempts(job_id)[0]["stripe_request_id"]


def test_its_view_and_the_payments_follow_at_once(shop: House, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid, amount=1000)
    shop.refund(job_id)
    view = shop.refund_view(refund_id)
    assert (view.status, view.amount, view.currency, view.payment_id) == ("succeeded", 1000, "gbp", paid.id)
    assert shop.payment_view(paid.id).status == "partially_refunded"
    assert shop.job_view(job_id).state == "done"


def test_parts_are_given_back_until_nothing_is_left(shop: House, stripe: Simulator, paid: Paid) -> None:
    for amount in (1000, 2000):
        job_id, _ = asked(shop, paid, amount=amount)
        assert shop.refund(job_id).state == "done"
    rest, refund_id = asked(shop, paid)
    assert shop.refund(rest).state == "done"
    assert shop.refund_row(refund_id)["amount"] == AMOUNT - 3000
    one_more, _ = asked(shop, paid)
    shop.refund(one_more)
    assert refusal(shop, one_more) == "already_refunded"
    assert sum(each.amount for each in at_stripe(stripe, paid)) == AMOUNT
    assert shop.payment(paid.id)["status"] == "refunded"


def test_a_part_is_rounded_as_its_currency_wants(shop: House, stripe: Simulator) -> None:
    paid = pay(shop, stripe, amount=5120, currency="kwd")
    odd, _ = asked(shop, paid, amount=2564)
    shop.refund(odd)
    assert refusal(shop, odd) == "amount_not_rounded"
    even, _ = asked(shop, paid, amount=2560)
    assert shop.refund(even).state == "done"
    assert [each.amount for each in at_stripe(stripe, paid)] == [2560]


def test_more_than_is_left_is_refused_and_the_detail_says_how_much_is(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    part, _ = asked(shop, paid, amount=1000)
    shop.refund(part)
    job_id, refund_id = asked(shop, paid, amount=AMOUNT - 999)
    shop.refund(job_id)
    assert refusal(shop, job_id) == "amount_too_large"
    assert str(AMOUNT - 1000) in shop.job(job_id)["problem"]["detail"]
    assert len(at_stripe(stripe, paid)) == 1
    assert shop.sql("SELECT id FROM refunds WHERE id = :id", id=refund_id) == []


def test_a_refused_refund_reads_refused_though_it_has_no_row(shop: House, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid, amount=AMOUNT + 1, reason="fraudulent")
    shop.refund(job_id)
    view = shop.refund_view(refund_id)
    assert (view.status, view.payment_id, view.amount, view.reason) == ("refused", paid.id, AMOUNT + 1, "fraudulent")


def test_a_payment_that_is_not_paid_is_not_refunded(shop: House) -> None:
    entry = payment_entry()
    shop.take_in(entry)
    before, _ = asked(shop, Paid(entry.subject_id, ""))
    assert shop.refund(before).state == "waiting", "what brings the money was accepted before"
    shop.create(entry.job_id)
    shop.refund(before)
    assert refusal(shop, before) == "payment_not_paid"
    after, _ = asked(shop, Paid(entry.subject_id, ""))
    shop.refund(after)
    assert refusal(shop, after) == "payment_not_paid"


def test_another_clients_payment_is_as_unknown_as_one_that_never_was(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    shop.add_client("other")
    told = []
    for payment in (paid.id, "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa"):
        entry = refund_entry(payment, client="other")
        shop.take_in(entry)
        shop.refund(entry.job_id)
        view = shop.refund_view(entry.subject_id)
        assert (view.payment_id, view.status, view.currency) == (payment, "refused", None)
        told.append(shop.job(entry.job_id)["problem"])
    assert told[0] == told[1] == {"code": "payment_unknown", "detail": "There is no such payment."}
    assert at_stripe(stripe, paid) == []


def test_a_disputed_charge_is_not_refunded(shop: House, stripe: Simulator, paid: Paid) -> None:
    shop.sql("UPDATE payments SET disputed = true, status = 'disputed' WHERE id = :id", id=paid.id)
    job_id, _ = asked(shop, paid)
    shop.refund(job_id)
    assert refusal(shop, job_id) == "payment_disputed"
    assert at_stripe(stripe, paid) == []


# What becomes of it later

PENDING_CARD, FAILING_CARD = "4000000000007726", "4000000000005126"  # https://docs.stripe.com/testing#refunds


def books(shop: House, paid: Paid) -> dict[str, int]:
    """Return our ledger's balances of a payment's transactions."""
    rows = shop.sql(
        "SELECT account, sum(e.amount)::int AS amount FROM ledger_entries e "
        "JOIN ledger_transactions t ON t.id = e.transaction_id WHERE t.payment_id = :id AND t.kind <> 'fee' "
        "GROUP BY account ORDER BY account",
        id=paid.id,
    )
    return {row["account"]: row["amount"] for row in rows}


def test_a_pending_refund_counts_and_succeeds_when_stripe_says_so(shop: House, stripe: Simulator) -> None:
    paid = pay(shop, stripe, PENDING_CARD)
    job_id, refund_id = asked(shop, paid, amount=1000)
    assert shop.refund(job_id).state == "done"
    assert (shop.refund_row(refund_id)["status"], shop.payment(paid.id)["amount_refunded"]) == ("pending", 1000)
    stripe.control("POST", "refunds/finish")
    hear(shop, stripe, paid, "refund.updated")
    assert shop.refund_view(refund_id).status == "succeeded"
    assert shop.moves(refund_id) == ["processing", "pending", "succeeded"]
    assert books(shop, paid) == {"refunds": 1000, "sales": -AMOUNT, "stripe": AMOUNT - 1000}


def test_a_refund_that_comes_back_reopens_the_debt(shop: House, stripe: Simulator) -> None:
    paid = pay(shop, stripe, FAILING_CARD)
    job_id, refund_id = asked(shop, paid)
    assert shop.refund(job_id).state == "done"
    assert shop.payment(paid.id)["status"] == "refunded"
    stripe.control("POST", "refunds/finish")
    hear(shop, stripe, paid, "refund.failed")
    row, payment = shop.refund_row(refund_id), shop.payment(paid.id)
    assert (row["status"], row["failure_reason"]) == ("failed", "unknown")
    assert (payment["status"], payment["amount_refunded"], payment["dirty"]) == ("paid", 0, False)
    assert shop.moves(paid.id)[-2:] == ["refunded", "paid"]
    [flag] = shop.sql("SELECT * FROM flags WHERE subject_id = :id", id=refund_id)
    assert (flag["kind"], flag["details"]["payment"], flag["details"]["amount"]) == ("refund_failed", paid.id, AMOUNT)
    assert books(shop, paid) == {"refunds": 0, "sales": -AMOUNT, "stripe": AMOUNT}
    hear(shop, stripe, paid)  # all that is older comes late, and again
    assert (shop.payment(paid.id)["status"], shop.refund_row(refund_id)["status"]) == ("paid", "failed")
    again, _ = asked(shop, paid)
    assert shop.refund(again).state == "done"
    assert shop.payment(paid.id)["status"] == "refunded"


@pytest.mark.parametrize("kind", ["refund.created", "charge.refunded", "refund.updated", "charge.refund.updated"])
def test_any_one_event_of_a_refund_in_the_dashboard_is_enough(shop: House, stripe: Simulator, kind: str) -> None:
    paid = pay(shop, stripe, PENDING_CARD)
    stripe.client.v1.refunds.create({"payment_intent": paid.intent, "amount": 700, "reason": "duplicate"})
    stripe.control("POST", "refunds/finish")
    hear(shop, stripe, paid, kind)
    [row] = shop.sql("SELECT * FROM refunds WHERE payment_id = :id", id=paid.id)
    pending = kind == "refund.created"
    assert (row["status"], row["amount"], row["job_id"]) == ("pending" if pending else "succeeded", 700, None)
    assert row["reason"] == "duplicate"
    assert shop.refund_view(row["id"]).stripe_refund == row["stripe_id"]
    assert (shop.payment(paid.id)["status"], books(shop, paid)["refunds"]) == ("partially_refunded", 700)


# At once


def test_refunds_at_once_never_give_back_more_than_was_taken(shop: House, stripe: Simulator, paid: Paid) -> None:
    """Twelve of a tenth each, while Stripe's events of them come in: ten are given back, two are refused."""
    jobs = [asked(shop, paid, amount=AMOUNT // 10)[0] for _ in range(AT_ONCE)]
    start = threading.Barrier(AT_ONCE)

    def run(job_id: str) -> None:
        start.wait()
        shop.refund(job_id)

    threads = [threading.Thread(target=run, args=(job_id,)) for job_id in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hear(shop, stripe, paid)
    for job_id in jobs:
        if shop.job(job_id)["state"] == "running":  # on a busy machine its outcome found no connection free in time
            shop.lapse(job_id)
            shop.rescue()
        if shop.job(job_id)["state"] not in {"done", "refused"}:
            run_until_over(shop, job_id)
    ended = sorted(shop.job(job_id)["state"] for job_id in jobs)
    assert ended == ["done"] * 10 + ["refused"] * 2
    refunds = at_stripe(stripe, paid)
    assert (len(refunds), sum(each.amount for each in refunds)) == (10, AMOUNT)
    payment = shop.payment(paid.id)
    assert (payment["status"], payment["amount_refunded"]) == ("refunded", AMOUNT)


def test_what_is_on_its_way_to_stripe_is_reserved(shop: House, stripe: Simulator, paid: Paid) -> None:
    first, _ = asked(shop, paid, amount=3000)
    stripe.faults({"do": "drop", "match": REFUNDS, "effect": False})
    assert shop.refund(first).state == "checking"
    too_much, _ = asked(shop, paid, amount=2000)
    shop.refund(too_much)
    assert refusal(shop, too_much) == "amount_too_large"
    rest, rest_id = asked(shop, paid)
    assert shop.refund(rest).state == "done"
    assert shop.refund_row(rest_id)["amount"] == AMOUNT - 3000
    assert run_until_over(shop, first).state == "done"
    assert shop.payment(paid.id)["status"] == "refunded"


def test_what_stripe_may_count_already_is_neither_counted_twice_nor_refused(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    """Stripe's total has come by an event, but not yet which refund it is of: the second refund waits for that."""
    first, _ = asked(shop, paid, amount=3000)
    stripe.faults({"do": "drop", "match": REFUNDS})
    assert shop.refund(first).state == "checking"
    bodies = [body for kind, body in stripe.events_of(paid.intent) if kind == "charge.refunded"]
    entries = [event_entry(body) for body in bodies]
    shop.take_in(*entries)
    shop.handle(*(entry.job_id for entry in entries))
    rest, rest_id = asked(shop, paid, amount=AMOUNT - 3000)
    assert shop.refund(rest).state == "waiting"
    assert shop.sql("SELECT 1 FROM refunds WHERE id = :id", id=rest_id) == []
    settle(shop)
    assert shop.refund(rest).state == "done"
    assert run_until_over(shop, first).state == "done"
    assert sum(each.amount for each in at_stripe(stripe, paid)) == AMOUNT


# Whatever is lost


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "drop"},
        {"do": "reset", "effect": False},
        {"do": "status", "effect": True},
        {"do": "status", "status": 502, "stored": False},
        {"do": "rate_limit"},
        {"do": "lock_timeout"},
    ],
    ids=lambda fault: "-".join(f"{key}={value}" for key, value in fault.items()),
)
def test_one_refund_is_made_whatever_befalls_the_first_request(
    shop: House, stripe: Simulator, paid: Paid, fault: dict[str, Any]
) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults(fault | {"match": REFUNDS})
    assert shop.refund(job_id).state in {"waiting", "checking"}
    assert shop.refund_row(refund_id)["status"] in {"processing", "checking"}
    assert run_until_over(shop, job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


@pytest.mark.parametrize("effect", [True, False], ids=["acted", "did not act"])
def test_a_worker_that_dies_in_mid_call_leaves_one_refund(
    shop: House, stripe: Simulator, paid: Paid, effect: bool
) -> None:
    job_id, refund_id = asked(shop, paid)
    gateway = shop.runtime.stripe

    def die(**arguments: Any) -> Any:
        if effect:
            gateway.create_refund(**arguments)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.refund(job_id, shop.with_stripe(FakeStripe(create_refund=die)))
    shop.lapse(job_id)
    shop.rescue()
    assert shop.job(job_id)["state"] == "checking"
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_the_amount_is_fixed_when_the_job_first_runs(shop: House, stripe: Simulator, paid: Paid) -> None:
    """The office gives a part back in the dashboard while the answer is lost: the same is asked again, and refused."""
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "reset", "match": REFUNDS, "effect": False})
    assert shop.refund(job_id).state == "checking"
    stripe.client.v1.refunds.create({"payment_intent": paid.intent, "amount": 100})
    assert run_until_over(shop, job_id).state == "refused"
    assert refusal(shop, job_id) == "stripe_refused"
    row = shop.refund_row(refund_id)
    assert (row["status"], row["amount"]) == ("refused", AMOUNT)
    settle(shop)
    again, _ = asked(shop, paid)
    assert shop.refund(again).state == "done"
    assert [each.amount for each in at_stripe(stripe, paid)] == [AMOUNT - 100, 100]


def test_a_stored_failure_is_never_got_around_and_ends_as_an_operators_business(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "status", "match": REFUNDS})
    for _ in range(3):
        assert shop.refund(job_id).state == "checking"
        shop.age_intent(job_id, 500.0)
    row = shop.job(job_id)
    assert (row["intent"], row["intent_generation"]) == (f"{refund_id}/create/1", 1)
    expire(shop, job_id, 60.0)
    assert shop.refund(job_id).state == "checking"
    expire(shop, job_id, 121.0)
    assert shop.refund(job_id).state == "dead"
    assert shop.job(job_id)["verdict"] == "reconcile_first"
    assert shop.refund_row(refund_id)["status"] == "checking"
    assert shop.refund_view(refund_id).status == "checking"
    assert at_stripe(stripe, paid) == []


def in_doubt(shop: House, stripe: Simulator, paid: Paid) -> tuple[str, str]:
    """Let a refund be dead in doubt, whose amount is reserved; return the ids of its job and of itself."""
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "status", "match": REFUNDS})
    for _ in range(2):
        assert shop.refund(job_id).state == "checking"
    expire(shop, job_id, 121.0)
    assert shop.refund(job_id).state == "dead"
    return job_id, refund_id


def looked_for_long_enough(shop: House, job_id: str) -> None:
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds' WHERE id = :id", id=job_id)


@pytest.mark.parametrize("discarded", [False, True])
def test_what_an_operator_says_was_not_done_is_released_after_one_more_look(
    shop: House, stripe: Simulator, paid: Paid, *, discarded: bool
) -> None:
    job_id, refund_id = in_doubt(shop, stripe, paid)
    if discarded:
        by_operator(shop, dead.discard, job_id)
    other, _ = asked(shop, paid)
    assert shop.refund(other).state == "refused"
    assert refusal(shop, other) == "already_refunded"
    by_operator(shop, dead.not_done, job_id)
    assert shop.refund(job_id).state == "checking"
    assert shop.refund_row(refund_id)["status"] == "checking"
    looked_for_long_enough(shop, job_id)
    assert shop.refund(job_id).state == "cancelled"
    assert shop.refund_row(refund_id)["status"] == shop.refund_view(refund_id).status == "refused"
    again, again_id = asked(shop, paid)
    assert shop.refund(again).state == "done"
    assert_one(shop, stripe, paid, again_id)
    acts = shop.sql("SELECT action, operator, reason FROM operator_actions WHERE subject = :id ORDER BY id", id=job_id)
    assert acts[-1] == {"action": "not_done", "operator": "ada", "reason": "test"}


def test_what_was_done_after_all_is_found_whatever_an_operator_says(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = in_doubt(shop, stripe, paid)
    params: Any = {"payment_intent": paid.intent, "metadata": {"tollgate_operation": f"{refund_id}/create/1"}}
    stripe.client.v1.refunds.create(params)
    by_operator(shop, dead.not_done, job_id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_an_operators_word_is_not_enough_while_stripe_cannot_be_asked(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = in_doubt(shop, stripe, paid)
    by_operator(shop, dead.not_done, job_id)
    looked_for_long_enough(shop, job_id)
    stripe.faults({"do": "status", "match": LISTS})
    assert shop.refund(job_id).state == "checking"
    assert shop.refund_row(refund_id)["status"] == "checking"


def test_a_replay_takes_an_operators_word_back(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, _ = in_doubt(shop, stripe, paid)
    by_operator(shop, dead.not_done, job_id)
    shop.force("UPDATE jobs SET state = 'dead', verdict = 'reconcile_first' WHERE id = :id", id=job_id)
    replay(shop, job_id)
    row = shop.job(job_id)
    assert (row["state"], row["cancel_asked_at"], row["not_done_said_at"]) == ("checking", None, None)


def test_after_23_hours_nothing_is_sent_but_what_was_made_is_found(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "reset", "match": REFUNDS, "effect": False})
    shop.refund(job_id)
    shop.age_intent(job_id, 23 * 3600.0)
    assert shop.refund(job_id).state == "checking"
    assert at_stripe(stripe, paid) == []
    operation = f"{refund_id}/create/1"
    params: Any = {"payment_intent": paid.intent, "metadata": {"tollgate_operation": operation}}
    stripe.client.v1.refunds.create(params)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_a_refused_look_up_proves_nothing(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "drop", "match": REFUNDS})
    shop.refund(job_id)

    def refuse(**_: Any) -> Any:
        raise errors.StripeInvalidError("no such payment")

    assert shop.refund(job_id, shop.with_stripe(FakeStripe(find_refund=refuse))).state == "checking"
    assert shop.refund_row(refund_id)["status"] == "checking"


# Refused by Stripe, stopped, replayed


def test_what_stripe_has_given_back_already_is_refused_and_learnt(shop: House, stripe: Simulator, paid: Paid) -> None:
    stripe.client.v1.refunds.create({"payment_intent": paid.intent})
    job_id, refund_id = asked(shop, paid)
    assert shop.refund(job_id).state == "refused"
    assert refusal(shop, job_id) == "already_refunded"
    assert shop.refund_row(refund_id)["status"] == "refused"
    settle(shop)
    assert shop.payment(paid.id)["status"] == "refunded"
    [office] = shop.sql("SELECT * FROM refunds WHERE job_id IS NULL AND payment_id = :id", id=paid.id)
    assert (office["status"], office["amount"], office["payment_id"]) == ("succeeded", AMOUNT, paid.id)


def test_what_is_cancelled_before_it_began_reads_refused(shop: House, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid)
    stop(shop, job_id)
    assert shop.refund(job_id).state == "cancelled"
    assert shop.refund_view(refund_id).status == "refused"


def test_what_is_cancelled_too_late_is_done(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "drop", "match": REFUNDS})
    shop.refund(job_id)
    stop(shop, job_id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_what_is_cancelled_in_doubt_is_released_only_when_stripe_has_shown_nothing_for_long_enough(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "reset", "match": REFUNDS, "effect": False})
    shop.refund(job_id)
    stop(shop, job_id)
    assert shop.refund(job_id).state == "checking"
    assert shop.refund_row(refund_id)["status"] == "checking"
    shop.sql("UPDATE jobs SET cancel_asked_at = clock_timestamp() - interval '121 seconds' WHERE id = :id", id=job_id)
    assert shop.refund(job_id).state == "cancelled"
    assert shop.refund_row(refund_id)["status"] == "refused"
    again, _ = asked(shop, paid)
    assert shop.refund(again).state == "done"


def test_a_replay_of_what_was_never_sent_reserves_anew(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid)
    stripe.faults({"do": "rate_limit", "match": REFUNDS})
    assert shop.refund(job_id).state == "waiting"
    expire(shop, job_id, 1.0)
    assert shop.refund(job_id).state == "dead"
    assert shop.refund_row(refund_id)["status"] == "refused"
    replay(shop, job_id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)
    assert shop.refund_view(refund_id).status == "succeeded"


def test_a_replay_begins_anew_also_of_what_was_taken_in_late_and_is_too_old_for_its_key(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    shop.sql("UPDATE jobs SET accepted_at = accepted_at - interval '24 hours' WHERE id = :id", id=job_id)
    assert shop.refund(job_id).state == "checking"
    expire(shop, job_id, shop.runtime.settings.jobs.generation_wait + 1)
    assert shop.refund(job_id).state == "dead"
    assert shop.job(job_id)["verdict"] == "safe_to_replay"
    replay(shop, job_id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_a_cancel_that_meets_a_running_attempt_is_soon_followed_up(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, _ = asked(shop, paid)
    stripe.faults({"do": "reset", "match": REFUNDS, "effect": False})
    shop.refund(job_id)
    shop.age_intent(job_id, 5 * 3600)
    shop.make_due(job_id)
    attempt = shop.attempt(job_id)
    stop(shop, job_id)
    with attempt.transaction(Step.OUTCOME) as session:
        finish(session, attempt.job, Outcome("checking", delay=519.0))
    [row] = shop.sql(
        "SELECT EXTRACT(EPOCH FROM next_run_at - clock_timestamp())::float AS wait FROM jobs WHERE id = :id", id=job_id
    )
    assert row["wait"] <= 1.0


def test_a_replay_that_no_longer_fits_is_refused(shop: House, stripe: Simulator, paid: Paid) -> None:
    job_id, refund_id = asked(shop, paid, amount=3000)
    stripe.faults({"do": "rate_limit", "match": REFUNDS})
    shop.refund(job_id)
    expire(shop, job_id, 1.0)
    shop.refund(job_id)
    other, _ = asked(shop, paid, amount=3000)
    assert shop.refund(other).state == "done"
    replay(shop, job_id)
    shop.refund(job_id)
    assert refusal(shop, job_id) == "amount_too_large"
    assert len(at_stripe(stripe, paid)) == 1
    assert shop.refund_view(refund_id).status == "refused"


# A database that was restored


def restored(shop: House, job_id: str, refund_id: str) -> None:
    """Let the database have lost a refund, and its job have been taken in from the journal again, much later."""
    shop.sql("DELETE FROM refunds WHERE id = :id", id=refund_id)
    shop.sql("DELETE FROM attempts WHERE job_id = :id", id=job_id)
    shop.sql(
        "SET LOCAL session_replication_role = replica; "  # no move that the table knows
        "UPDATE jobs SET intent = NULL, intent_at = NULL, state = 'ready', finished_at = NULL, attempts = 0, "
        "accepted_at = created_at - interval '1 hour' WHERE id = :id",
        id=job_id,
    )


def test_a_restored_database_finds_the_refund_instead_of_making_another(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    shop.refund(job_id)
    restored(shop, job_id, refund_id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)
    assert shop.refund_row(refund_id)["job_id"] == job_id


def test_a_restored_database_that_knows_no_payment_yet_refuses_nothing(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    restored(shop, job_id, refund_id)
    shop.sql("UPDATE payments SET client_id = 'stripe' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "checking"
    shop.sql("UPDATE payments SET client_id = 'site' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
def test_a_refund_that_can_not_be_looked_for_is_not_said_to_be_undone(
    shop: House, stripe: Simulator, paid: Paid, ending: str
) -> None:
    """A restored database knows neither the refund nor, yet, its payment; the money is given back already."""
    job_id, refund_id = asked(shop, paid)
    assert shop.refund(job_id).state == "done"
    restored(shop, job_id, refund_id)
    shop.sql("UPDATE payments SET client_id = 'stripe' WHERE id = :id", id=paid.id)
    if ending == "cancelled":
        stop(shop, job_id)
        shop.sql("UPDATE jobs SET cancel_asked_at = cancel_asked_at - interval '1 hour' WHERE id = :id", id=job_id)
    else:
        expire(shop, job_id, 3600)
    for _ in range(10):
        assert shop.refund(job_id).state == "checking"
    shop.sql("UPDATE payments SET client_id = 'site' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_an_operators_word_is_not_enough_where_there_is_nowhere_to_look(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    job_id, refund_id = asked(shop, paid)
    assert shop.refund(job_id).state == "done"
    restored(shop, job_id, refund_id)
    shop.sql("UPDATE payments SET client_id = 'stripe' WHERE id = :id", id=paid.id)
    expire(shop, job_id, 8 * 86_400)
    assert (shop.refund(job_id).state, shop.job(job_id)["verdict"]) == ("dead", "reconcile_first")
    by_operator(shop, dead.not_done, job_id)
    shop.sql("UPDATE jobs SET cancel_asked_at = cancel_asked_at - interval '1 hour' WHERE id = :id", id=job_id)
    assert shop.refund(job_id).state == "checking"
    shop.sql("UPDATE payments SET client_id = 'site' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def test_a_late_refund_of_a_payment_that_never_was_can_be_cancelled(shop: House) -> None:
    job_id, _ = asked(shop, Paid("pay_aaaaaaaaaaaaaaaaaaaaaaaaaa", ""))
    shop.grow_older(job_id, 3600)
    stop(shop, job_id)
    shop.sql("UPDATE jobs SET cancel_asked_at = cancel_asked_at - interval '1 hour' WHERE id = :id", id=job_id)
    states = [shop.refund(job_id).state for _ in range(PATIENT_ATTEMPTS)]
    assert states == ["checking"] * (PATIENT_ATTEMPTS - 1) + ["cancelled"]


def test_a_database_that_knows_less_than_the_client_was_shown_refuses_nothing(
    shop: House, stripe: Simulator, paid: Paid
) -> None:
    """The refund was accepted after a restore, and comes before the journal is read again."""
    job_id, refund_id = asked(shop, paid, shown="paid")
    shop.sql("UPDATE payments SET client_id = 'stripe' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "waiting"
    shop.sql("UPDATE payments SET client_id = 'site' WHERE id = :id", id=paid.id)
    assert shop.refund(job_id).state == "done"
    assert_one(shop, stripe, paid, refund_id)


def expire(shop: House, job_id: str, seconds_ago: float) -> None:
    shop.sql(
        "UPDATE jobs SET expires_at = clock_timestamp() - make_interval(secs => :s) WHERE id = :id",
        id=job_id,
        s=seconds_ago,
    )


def by_operator(shop: House, act: Callable[..., Any], job_id: str) -> None:
    with shop.runtime.transaction(Step.OUTCOME) as session:
        act(session, [job_id], Operator("ada", "test"))


def stop(shop: House, job_id: str) -> None:
    by_operator(shop, cancel.cancel, job_id)


def replay(shop: House, job_id: str) -> None:
    by_operator(shop, dead.replay, job_id)
