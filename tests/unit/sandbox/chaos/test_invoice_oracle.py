"""The oracle of invoices: whatever is lost, doubled or strange is found, and what was kept is not complained of."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from sandbox.chaos.invoice_oracle import emails, judge_invoices
from sandbox.chaos.invoice_orders import Invoice, InvoiceFate, InvoiceOrder
from sandbox.chaos.oracle import BROKEN, LastView, Verdict
from sandbox.chaos.orders import ALL_PAY, Order, make_orders

FATES: list[InvoiceFate] = ["is sent", "is paid", "is voided", "stays a draft", "is for a payment"]
TOTAL = 1_194  # 9.95 and a fifth


def invoice(number: int, fate: InvoiceFate) -> Invoice:
    body = {
        "customer": {"email": f"{number}@example.org"},
        "currency": "gbp",
        "lines": [{"quantity": 1, "unit_amount": 995, "tax": "gb_vat_standard"}],
    }
    return Invoice(f"I-{number}", body, fate, invoice_ids={f"inv_{number}"})


def accepted(number: int, *invoices: Invoice, payment: Order | None = None) -> InvoiceOrder:
    order = InvoiceOrder(number, f"O-{number}", invoices, batch=len(invoices) > 1, payment=payment)
    order.answers, order.accepted_at, order.job_ids = Counter(accepted=1), 1.0, {f"job_{number}"}
    return order


@pytest.fixture
def orders() -> list[InvoiceOrder]:
    [payment] = make_orders(1, "T", random.Random(0), ALL_PAY)
    payment.secret = "pi_site_secret_1"
    return [
        accepted(number, invoice(number, fate), payment=payment if fate == "is for a payment" else None)
        for number, fate in enumerate(FATES)
    ]


def fact(asked: Invoice, **changes: Any) -> dict[str, Any]:
    number = asked.reference.partition("-")[2]
    paid = asked.end == "paid"
    charge = "ch_site" if asked.fate == "is for a payment" else f"ch_{number}"
    intent = "pi_site" if asked.fate == "is for a payment" else f"pi_{number}"
    return {
        "id": f"in_{number}",
        "number": None if asked.end == "draft" else f"P{number}-0001",
        "status": {"sent": "open"}.get(asked.end, asked.end),
        "currency": "gbp",
        "total": TOTAL,
        "amount_paid": TOTAL if paid else 0,
        "metadata": {"booking_reference": asked.reference},
        "operation": f"inv_{number}/draft/1",
        "doubled": False,
        "mailed": int(asked.fate in {"is sent", "is paid", "is voided"}),
        "payments": [
            {"payment_intent": intent, "charge": charge if paid else None, "status": "paid" if paid else "open"}
        ],
        **changes,
    }


def ledger_of(orders: list[InvoiceOrder]) -> dict[str, Any]:
    return {
        "invoices": [fact(each) for order in orders for each in order.invoices if each.acceptable],
        "charges": [
            {"id": "ch_1", "invoice": "in_1", "status": "succeeded"},
            {"id": "ch_site", "invoice": "in_4", "status": "succeeded"},
        ],
    }


def views_of(orders: list[InvoiceOrder]) -> dict[str, LastView]:
    return {each.reference: LastView(each.end, None) for order in orders for each in order.invoices}


def judged(
    orders: list[InvoiceOrder], ledger: dict[str, Any], views: dict[str, LastView] | None = None
) -> dict[str, int]:
    verdict = Verdict()
    judge_invoices(verdict, orders, ledger, views_of(orders) if views is None else views)
    found = {name: getattr(verdict, name) for name in BROKEN if getattr(verdict, name)}
    assert verdict.clean == (not found)
    assert bool(verdict.findings) == bool(found)
    return found


def test_what_was_kept_is_clean(orders: list[InvoiceOrder]) -> None:
    assert judged(orders, ledger_of(orders)) == {}
    verdict = Verdict()
    judge_invoices(verdict, orders, ledger_of(orders), views_of(orders))
    assert verdict.invoices == len(FATES)


def test_an_accepted_invoice_that_is_not_at_stripe_is_lost(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    del ledger["invoices"][0]
    assert judged(orders, ledger) == {"lost": 1}


def test_a_second_invoice_for_one_booking_is_a_double(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"].append(fact(orders[0].invoices[0], id="in_again", number=None, mailed=0))
    assert judged(orders, ledger) == {"double_invoices": 1}


def test_an_operation_that_made_two_is_a_double(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][0]["doubled"] = True
    assert judged(orders, ledger) == {"double_invoices": 1}


@pytest.mark.parametrize("twice", ["invoice", "job"])
def test_one_key_with_two_invoices_or_jobs_is_a_double(orders: list[InvoiceOrder], twice: str) -> None:
    if twice == "invoice":
        orders[0].invoices[0].invoice_ids.add("inv_other")
    else:
        orders[0].job_ids.add("job_other")
    assert judged(orders, ledger_of(orders)) == {"double_invoices": 1}


@pytest.mark.parametrize("metadata", [{}, {"booking_reference": "I-999"}])
def test_an_invoice_that_nobody_asked_for_is_an_orphan(orders: list[InvoiceOrder], metadata: dict[str, str]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"].append(fact(orders[0].invoices[0], id="in_x", number=None, metadata=metadata))
    assert judged(orders, ledger) == {"orphans": 1}


def test_another_total_than_was_asked_is_found(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][0]["total"] += 1
    assert judged(orders, ledger) == {"wrong_amounts": 1}


@pytest.mark.parametrize("view", [LastView("refused", None), LastView("processing", "refused")])
def test_an_invoice_that_had_to_be_made_and_reads_refused_is_false(orders: list[InvoiceOrder], view: LastView) -> None:
    views = views_of(orders) | {"I-0": view}
    assert judged(orders, ledger_of(orders), views) == {"false_refused": 1}


def test_a_line_of_a_batch_that_was_refused_without_reason_is_false(orders: list[InvoiceOrder]) -> None:
    good, wrongly = invoice(7, "is sent"), invoice(8, "is sent")
    wrongly.invoice_ids.clear()
    batch = [accepted(7, good, wrongly)]
    assert judged(batch, {"invoices": [fact(good)], "charges": []}) == {"false_refused": 1}


def test_a_line_that_had_to_be_refused_and_was_is_clean(orders: list[InvoiceOrder]) -> None:
    good, bad = invoice(7, "is sent"), invoice(8, "is refused")
    bad.invoice_ids.clear()
    batch = [accepted(7, good, bad)]
    ledger = {"invoices": [fact(good)], "charges": []}
    assert judged(batch, ledger) == {}
    bad.invoice_ids.add("inv_8")
    assert judged(batch, ledger) == {"orphans": 1}
    ledger["invoices"].append(fact(bad))
    assert judged(batch, ledger) == {"orphans": 2}


@pytest.mark.parametrize("number", range(len(FATES)))
def test_an_invoice_that_does_not_end_where_it_should_is_lost(orders: list[InvoiceOrder], number: int) -> None:
    views = views_of(orders) | {f"I-{number}": LastView("processing", None)}
    assert judged(orders, ledger_of(orders), views) == {"lost": 1}
    ledger = ledger_of(orders)
    ledger["invoices"][number]["status"] = "uncollectible"
    assert judged(orders, ledger) == {"lost": 1}


def test_a_dead_job_is_given_up(orders: list[InvoiceOrder]) -> None:
    views = views_of(orders) | {"I-0": LastView("draft", "dead")}
    assert judged(orders, ledger_of(orders), views) == {"given_up": 1}


def test_an_invoice_that_was_paid_twice_is_a_double(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["charges"].append({"id": "ch_1b", "invoice": "in_1", "status": "succeeded"})
    assert judged(orders, ledger) == {"double_charges": 1}


@pytest.mark.parametrize("number", [1, 4])
def test_a_paid_invoice_without_all_its_money_is_found(orders: list[InvoiceOrder], number: int) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][number]["amount_paid"] -= 1
    assert judged(orders, ledger) == {"wrong_amounts": 1}
    ledger = ledger_of(orders)
    ledger["invoices"][number]["payments"] = []
    assert judged(orders, ledger) == {"wrong_amounts": 1}


def test_an_invoice_for_a_payment_that_was_charged_again_is_found(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][4]["payments"].append({"payment_intent": "pi_4", "charge": "ch_4", "status": "paid"})
    assert judged(orders, ledger) == {"wrong_amounts": 1}


@pytest.mark.parametrize("number", range(len(FATES)))
def test_a_mail_too_many_or_too_few_is_found(orders: list[InvoiceOrder], number: int) -> None:
    for change in (1, -1):
        ledger = ledger_of(orders)
        ledger["invoices"][number]["mailed"] += change
        if ledger["invoices"][number]["mailed"] >= 0:
            assert judged(orders, ledger) == {"wrong_mails": 1}


def test_two_mails_are_found_also_where_the_client_does_not_know_that_it_ran(orders: list[InvoiceOrder]) -> None:
    unanswered(orders[0], "no_answer")
    ledger = ledger_of(orders)
    ledger["invoices"][0]["mailed"] = 0
    assert judged(orders, ledger) == {}
    ledger["invoices"][0]["mailed"] = 2
    assert judged(orders, ledger) == {"wrong_mails": 1}


def test_a_number_that_is_missing_in_between_is_a_gap(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][0]["number"] = "P1-0003"
    assert judged(orders, ledger) == {"number_gaps": 1}


def test_a_number_that_is_there_twice_is_a_gap_as_well(orders: list[InvoiceOrder]) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][0]["number"] = "P1-0001"
    assert judged(orders, ledger) == {"number_gaps": 1}


@pytest.mark.parametrize(("number", "told"), [(0, None), (3, "P3-0001")])
def test_a_number_where_none_belongs_or_none_where_one_does_is_found(
    orders: list[InvoiceOrder], number: int, told: str | None
) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][number]["number"] = told
    assert judged(orders, ledger) == {"number_gaps": 1}


@pytest.mark.parametrize(("number", "found"), [(0, "wrong_amounts"), (2, "wrong_amounts"), (4, "double_charges")])
def test_money_taken_for_an_invoice_that_nobody_paid_on_its_page_is_found(
    orders: list[InvoiceOrder], number: int, found: str
) -> None:
    ledger = ledger_of(orders)
    ledger["charges"].append({"id": "ch_more", "invoice": f"in_{number}", "status": "succeeded"})
    assert judged(orders, ledger) == {found: 1}


@pytest.mark.parametrize("operation", [None, "inv_other/draft/1"])
def test_an_invoice_that_another_one_here_has_made_is_an_orphan(
    orders: list[InvoiceOrder], operation: str | None
) -> None:
    ledger = ledger_of(orders)
    ledger["invoices"][0]["operation"] = operation
    assert judged(orders, ledger) == {"orphans": 1}


def test_another_total_is_found_also_where_the_client_does_not_know_that_it_ran(orders: list[InvoiceOrder]) -> None:
    unanswered(orders[0], "no_answer")
    ledger = ledger_of(orders)
    ledger["invoices"][0]["total"] += 1
    assert judged(orders, ledger) == {"wrong_amounts": 1}


def unanswered(order: InvoiceOrder, answer: str) -> None:
    order.answers, order.accepted_at, order.job_ids = Counter({answer: 1}), None, set()
    order.invoices[0].invoice_ids.clear()


def test_an_unknown_order_may_have_run_once(orders: list[InvoiceOrder]) -> None:
    unanswered(orders[0], "no_answer")
    ledger = ledger_of(orders)
    assert judged(orders, ledger) == {}
    assert judged(orders, {**ledger, "invoices": ledger["invoices"][1:]}) == {}
    ledger["invoices"].append(fact(orders[0].invoices[0], id="in_again", number=None, mailed=0))
    assert judged(orders, ledger) == {"double_invoices": 1}


def test_an_order_that_was_told_that_nothing_was_accepted_must_not_run(orders: list[InvoiceOrder]) -> None:
    unanswered(orders[0], "redis_unavailable")
    assert judged(orders, ledger_of(orders)) == {"orphans": 1}
    assert "0@example.org" not in emails(orders)
    assert "1@example.org" in emails(orders)
