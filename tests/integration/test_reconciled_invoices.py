"""Reconciliation of invoices: Stripe's and ours say the same of each, and each planted difference is found."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.house import House
from tests.builders.invoice_stage import Asked, made, pay_by_card
from tests.builders.reconciled import compared, hear_all, mend, pass_time
from tests.builders.simulator import Simulator
from workers.services.reconciliation.breaks import Break, BreakKind, Fix

pytestmark = pytest.mark.servers


@pytest.fixture
def stripe(own_simulator: Simulator) -> Simulator:
    """Stripe's place in `shop`: its clock may move."""
    return own_simulator


@pytest.fixture
def invoice(shop: House, stripe: Simulator) -> Asked:
    """An invoice of which all is known that has happened."""
    asked = made(shop)
    hear_all(shop, stripe)
    return asked


def stripe_id(house: House, invoice: Asked) -> str:
    return str(house.invoice(invoice.id)["stripe_id"])


def told(found: Break) -> tuple[Any, ...]:
    return found.kind, found.noun, found.invoice_id, found.at_stripe, found.here, found.fix


def test_invoices_that_agree_leave_nothing(shop: House, stripe: Simulator, invoice: Asked) -> None:
    made(shop, draft=True)
    pay_by_card(stripe, invoice)
    hear_all(shop, stripe)
    pass_time(stripe)
    result = compared(shop)
    assert (result.breaks, result.remainder, result.movements) == ([], {}, 1)


def test_a_status_that_was_missed_is_a_break_and_fetched_by_a_fix(
    shop: House, stripe: Simulator, invoice: Asked
) -> None:
    stripe.client.v1.invoices.void_invoice(stripe_id(shop, invoice))
    pass_time(stripe)
    result = compared(shop)
    assert [told(each) for each in result.breaks] == [
        (BreakKind.STATUS_DIFFERS, "invoice", invoice.id, "void", "open", Fix.REFRESH_INVOICE)
    ]
    assert mend(shop, result) == {"refresh_invoice": 1}
    assert shop.invoice(invoice.id)["status"] == "void"
    assert compared(shop).is_clean


def test_an_invoice_that_was_paid_unheard_is_fetched_with_its_payment(
    shop: House, stripe: Simulator, invoice: Asked
) -> None:
    intent = pay_by_card(stripe, invoice)
    pass_time(stripe)
    result = compared(shop)
    total = shop.invoice(invoice.id)["total"]
    assert [told(each) for each in result.wrong] == [
        (BreakKind.STATUS_DIFFERS, "invoice", invoice.id, "paid", "open", Fix.REFRESH_INVOICE),
        (BreakKind.AMOUNT_DIFFERS, "invoice_payment", invoice.id, total, 0, Fix.REFRESH_INVOICE),
    ]
    assert mend(shop, result) == {"refresh_invoice": 1}
    row = shop.invoice(invoice.id)
    assert (row["status"], shop.payment(row["payment_id"])["stripe_id"]) == ("paid", intent)
    assert compared(shop).breaks == []


def test_a_total_that_is_not_what_was_asked_for_is_for_a_person(shop: House, stripe: Simulator, invoice: Asked) -> None:
    before = shop.invoice(invoice.id)["total"]
    shop.sql("UPDATE invoices SET subtotal = subtotal - 1, total = total - 1 WHERE id = :id", id=invoice.id)
    pass_time(stripe)
    result = compared(shop)
    assert [told(each) for each in result.breaks] == [
        (BreakKind.AMOUNT_DIFFERS, "invoice", invoice.id, before, before - 1, None)
    ]
    assert mend(shop, result) == {}


def test_an_invoice_of_ours_that_we_know_nothing_of_is_a_break(shop: House, stripe: Simulator) -> None:
    customer = stripe.client.v1.customers.create({})
    operation = {"tollgate_operation": f"inv_{'a' * 26}/create/1"}
    planted = stripe.client.v1.invoices.create({"customer": customer.id, "metadata": operation})
    stripe.client.v1.invoices.create({"customer": customer.id})  # the office's
    pass_time(stripe)
    assert [(each.stripe_id, *told(each)) for each in compared(shop).breaks] == [
        (planted.id, BreakKind.AT_STRIPE_NOT_HERE, "invoice", None, "draft", None, Fix.HEAL)
    ]


def test_a_draft_that_staff_have_thrown_away_unheard_is_learnt_of_by_a_fix(shop: House, stripe: Simulator) -> None:
    draft = made(shop, draft=True)
    stripe.client.v1.invoices.delete(stripe_id(shop, draft))
    pass_time(stripe)
    result = compared(shop)
    assert [told(each) for each in result.breaks] == [
        (BreakKind.HERE_NOT_AT_STRIPE, "invoice", draft.id, None, "draft", Fix.HEAL)
    ]
    assert mend(shop, result) == {"heal": 1}
    assert shop.invoice(draft.id)["status"] == "void"
    assert compared(shop).is_clean


def test_what_has_just_changed_and_what_is_being_fetched_is_not_compared(
    shop: House, stripe: Simulator, invoice: Asked
) -> None:
    pass_time(stripe)
    stripe.client.v1.invoices.void_invoice(stripe_id(shop, invoice))
    assert compared(shop).breaks == []
    pass_time(stripe)
    shop.sql("UPDATE invoices SET dirty = true WHERE id = :id", id=invoice.id)
    assert compared(shop).breaks == []
    shop.sql("UPDATE invoices SET dirty = false WHERE id = :id", id=invoice.id)
    assert [each.kind for each in compared(shop).breaks] == [BreakKind.STATUS_DIFFERS]
