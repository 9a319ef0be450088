"""The oracle: whatever is lost, doubled or strange is found, and what was kept is not complained of."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from sandbox.chaos.oracle import LastView, Verdict, judge
from sandbox.chaos.orders import ALL_PAY, Order, make_orders


@pytest.fixture
def orders() -> list[Order]:
    made = make_orders(3, "T", random.Random(0), ALL_PAY)
    for order in made:
        order.answers = Counter(accepted=1)
        order.accepted_at = 1.0
        order.payment_ids = {f"pay_{order.number}"}
        order.job_ids = {f"job_{order.number}"}
    return made


def intent(order: Order, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"pi_{order.number}",
        "amount": order.body["amount"],
        "amount_received": order.body["amount"],
        "currency": "gbp",
        "status": "succeeded",
        "metadata": {"booking_reference": order.reference},
        "operation": f"pay_{order.number}/create/1",
        "invoice": None,
        **changes,
    }


def charge(order: Order, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"ch_{order.number}",
        "payment_intent": f"pi_{order.number}",
        "status": "succeeded",
        "refunded_after_capture": 0,
        "metadata": {"booking_reference": order.reference},
        **changes,
    }


def ledger_of(orders: list[Order]) -> dict[str, Any]:
    return {
        "payment_intents": [intent(order) for order in orders],
        "charges": [charge(order) for order in orders],
        "customers": [
            {"id": f"cus_{order.number}", "email": order.body["customer"]["email"], "operation": "cst_x/create/1"}
            for order in orders
        ],
        "refunds": [],
    }


def views_of(orders: list[Order]) -> dict[str, LastView]:
    return {order.reference: LastView("paid", "done") for order in orders}


def counts(verdict: Verdict) -> dict[str, int]:
    names = ("lost", "double_charges", "double_refunds", "orphans", "wrong_amounts", "false_failed", "given_up")
    return {name: getattr(verdict, name) for name in names if getattr(verdict, name)}


def test_what_was_kept_is_clean(orders: list[Order]) -> None:
    verdict = judge(orders, ledger_of(orders), views_of(orders))
    assert counts(verdict) == {}
    assert verdict.clean
    assert (verdict.accepted, verdict.unknown) == (3, 0)
    assert verdict.findings == []


def test_an_accepted_order_without_a_payment_intent_is_lost(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    del ledger["payment_intents"][1], ledger["charges"][1]
    verdict = judge(orders, ledger, views_of(orders))
    assert counts(verdict) == {"lost": 1}
    assert orders[1].reference in verdict.findings[0]


@pytest.mark.parametrize("view", [LastView("requires_confirmation", "done"), LastView(None, None)])
def test_an_order_whose_view_never_reached_what_stripe_says_is_lost(orders: list[Order], view: LastView) -> None:
    views = views_of(orders) | {orders[0].reference: view}
    assert counts(judge(orders, ledger_of(orders), views)) == {"lost": 1}


def test_an_order_that_the_api_knows_nothing_of_is_lost(orders: list[Order]) -> None:
    views = views_of(orders)
    del views[orders[2].reference]
    assert counts(judge(orders, ledger_of(orders), views)) == {"lost": 1}


def test_a_view_that_claims_money_that_stripe_has_not_taken_is_found(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"][0] |= {"status": "requires_payment_method", "amount_received": 0}
    del ledger["charges"][0]
    assert counts(judge(orders, ledger, views_of(orders))) == {"lost": 1}


@pytest.mark.parametrize("again", [{"payment_intents"}, {"charges"}])
def test_a_second_intent_or_charge_for_one_booking_is_a_double(orders: list[Order], again: set[str]) -> None:
    ledger = ledger_of(orders)
    if "payment_intents" in again:
        ledger["payment_intents"].append(intent(orders[0], id="pi_again", operation="pay_0/create/2"))
    else:
        ledger["charges"].append(charge(orders[0], id="ch_again"))
    assert counts(judge(orders, ledger, views_of(orders))) == {"double_charges": 1}


def test_a_charge_on_a_second_intent_is_a_double_though_it_has_another_operation(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"].append(intent(orders[0], id="pi_again", operation="pay_9/create/1"))
    ledger["charges"].append(charge(orders[0], id="ch_again", payment_intent="pi_again"))
    assert counts(judge(orders, ledger, views_of(orders))) == {"double_charges": 1}


def test_a_declined_try_before_the_charge_is_no_double(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["charges"].append(charge(orders[0], id="ch_declined", status="failed"))
    assert counts(judge(orders, ledger, views_of(orders))) == {}


def test_one_key_with_two_jobs_is_a_double(orders: list[Order]) -> None:
    orders[0].job_ids.add("job_another")
    assert counts(judge(orders, ledger_of(orders), views_of(orders))) == {"double_charges": 1}


def test_an_intent_that_nobody_ordered_is_an_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"].append(intent(orders[0], id="pi_x", metadata={"booking_reference": "T-999"}))
    assert counts(judge(orders, ledger, views_of(orders))) == {"orphans": 1}


def test_an_intent_without_any_reference_is_an_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"].append(intent(orders[0], id="pi_x", metadata={}))
    assert counts(judge(orders, ledger, views_of(orders))) == {"orphans": 1}


def test_what_stripe_made_to_pay_an_invoice_by_is_no_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    own = intent(orders[0], id="pi_i", metadata={}, operation=None, invoice="in_1")
    ledger["payment_intents"].append(own)
    ledger["charges"].append(charge(orders[0], id="ch_i", payment_intent="pi_i", metadata={}))
    assert counts(judge(orders, ledger, views_of(orders))) == {}


def test_a_payment_that_an_invoice_is_for_is_judged_as_any(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"][0]["invoice"] = "in_1"
    assert counts(judge(orders, ledger, views_of(orders))) == {}
    ledger["payment_intents"][0]["amount"] += 1
    assert counts(judge(orders, ledger, views_of(orders))) == {"orphans": 1}


def test_whoever_was_invoiced_is_no_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["customers"].append({"id": "cus_x", "email": "x@example.org", "operation": None})
    assert judge(orders, ledger, views_of(orders), {"x@example.org"}).clean


def test_an_intent_over_another_amount_is_an_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["payment_intents"][0]["amount"] += 1
    assert counts(judge(orders, ledger, views_of(orders))) == {"orphans": 1}


def test_a_customer_that_ordered_nothing_is_an_orphan(orders: list[Order]) -> None:
    ledger = ledger_of(orders)
    ledger["customers"].append({"id": "cus_x", "email": "x@example.org", "operation": None})
    assert counts(judge(orders, ledger, views_of(orders))) == {"orphans": 1}


def unanswered(order: Order, answer: str) -> None:
    order.answers = Counter({answer: 1})
    order.accepted_at = None
    order.payment_ids, order.job_ids = set(), set()


@pytest.mark.parametrize("answer", ["acceptance_unknown", "no_answer", "server_error"])
def test_an_unknown_order_may_have_run_once(orders: list[Order], answer: str) -> None:
    unanswered(orders[0], answer)
    verdict = judge(orders, ledger_of(orders), views_of(orders))
    assert counts(verdict) == {}
    assert verdict.unknown == 1


def test_an_unknown_order_may_not_have_run(orders: list[Order]) -> None:
    unanswered(orders[0], "acceptance_unknown")
    ledger = ledger_of(orders[1:])
    assert counts(judge(orders, ledger, views_of(orders))) == {}


def test_an_unknown_order_may_not_run_twice(orders: list[Order]) -> None:
    unanswered(orders[0], "acceptance_unknown")
    ledger = ledger_of(orders)
    ledger["payment_intents"].append(intent(orders[0], id="pi_again"))
    assert counts(judge(orders, ledger, views_of(orders))) == {"double_charges": 1}


def test_an_order_that_was_told_that_nothing_was_accepted_must_not_run(orders: list[Order]) -> None:
    unanswered(orders[0], "redis_unavailable")
    ledger = ledger_of(orders)
    found = counts(judge(orders, ledger, views_of(orders)))
    assert found == {"orphans": 2}  # the intent, and the customer made for it


def test_a_payment_that_reads_failed_though_stripe_has_it_is_false(orders: list[Order]) -> None:
    views = views_of(orders) | {orders[0].reference: LastView("failed", "dead")}
    assert counts(judge(orders, ledger_of(orders), views)) == {"false_failed": 1}


def test_another_amount_than_was_asked_for_is_found(orders: list[Order]) -> None:
    orders[0].fate = "is captured in part"
    ledger = ledger_of(orders)
    assert counts(judge(orders, ledger, views_of(orders))) == {"wrong_amounts": 1}
    ledger["payment_intents"][0]["amount_received"] = orders[0].takes
    assert judge(orders, ledger, views_of(orders)).clean
    ledger["payment_intents"][1]["amount_received"] -= 1
    assert counts(judge(orders, ledger, views_of(orders))) == {"wrong_amounts": 1}


def test_a_job_that_says_that_it_is_dead_is_given_up_and_not_lost(orders: list[Order]) -> None:
    ledger = ledger_of(orders[1:])
    views = views_of(orders) | {orders[0].reference: LastView("failed", "dead")}
    assert counts(judge(orders, ledger, views)) == {"given_up": 1}


def refund(order: Order, **changes: Any) -> dict[str, Any]:
    operation = f"ref_{order.number}/create/1"
    return {"id": f"re_{order.number}", "operation": operation, "payment_intent": f"pi_{order.number}", **changes}


def refunded(orders: list[Order]) -> tuple[dict[str, Any], dict[str, LastView]]:
    """Let the first client want all its money back, and have it; return ledger and views."""
    orders[0].fate, orders[0].refund_ids, orders[0].refund_job_ids = "wants all back", {"ref_0"}, {"job_r0"}
    ledger, views = ledger_of(orders), views_of(orders)
    ledger["refunds"] = [refund(orders[0])]
    ledger["charges"][0]["refunded_after_capture"] = orders[0].body["amount"]
    views[orders[0].reference] = LastView("refunded", None)
    return ledger, views


def test_a_refund_that_was_made_once_is_clean(orders: list[Order]) -> None:
    assert judge(orders, *refunded(orders)).findings == []


@pytest.mark.parametrize("generation", [1, 2])
def test_two_refunds_of_one_operation_are_a_double_whatever_the_generation(
    orders: list[Order], generation: int
) -> None:
    ledger, views = refunded(orders)
    ledger["refunds"] += [
        refund(orders[0], id="re_2", operation=f"ref_0/create/{generation}"),
        refund(orders[1], id="re_3", operation=None),
    ]
    assert counts(judge(orders, ledger, views)) == {"double_refunds": 1}


def test_two_refunds_for_one_key_are_a_double(orders: list[Order]) -> None:
    ledger, views = refunded(orders)
    orders[0].refund_ids.add("ref_9")
    ledger["refunds"].append(refund(orders[0], id="re_9", operation="ref_9/create/1"))
    assert counts(judge(orders, ledger, views)) == {"double_refunds": 1}


def test_a_refund_that_was_accepted_and_not_made_is_lost(orders: list[Order]) -> None:
    ledger, views = refunded(orders)
    ledger["refunds"] = [refund(orders[0], operation=None)]  # the office gave it back instead
    assert counts(judge(orders, ledger, views)) == {"lost": 1}


def test_a_refund_of_ours_that_nobody_wanted_is_an_orphan(orders: list[Order]) -> None:
    ledger, views = refunded(orders)
    ledger["refunds"].append(refund(orders[1]))
    assert counts(judge(orders, ledger, views)) == {"orphans": 1}


@pytest.mark.parametrize(("back", "status"), [(0, "paid"), (100, "partially_refunded"), (None, "refunded")])
def test_what_the_dashboard_gave_back_must_be_told(orders: list[Order], back: int | None, status: str) -> None:
    ledger = ledger_of(orders)
    ledger["charges"][0]["refunded_after_capture"] = orders[0].body["amount"] if back is None else back
    views = views_of(orders) | {orders[0].reference: LastView(status, "done")}
    assert counts(judge(orders, ledger, views)) == {}
    other = "paid" if status != "paid" else "refunded"
    views[orders[0].reference] = LastView(other, "done")
    assert counts(judge(orders, ledger, views)) == {"lost": 1}
