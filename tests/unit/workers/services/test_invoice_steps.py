"""What comes next of an invoice, by what Stripe shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders.entries import invoice_request
from tests.unit.workers.gateways.objects import invoice, invoice_payment, listed
from workers.gateways.invoice_snapshots import invoice_snapshot
from workers.services.customers import KnownCustomer
from workers.services.invoice_steps import Plan, due_at, next_step

ADA = KnownCustomer("cst_1", "Ada", "ada@example.org", "cus_1", ())
DRAFT = {"status": "draft", "number": None}


def following(shown: dict[str, Any] | None, *, sent: bool = False, intent: str | None = None, **changes: Any) -> Any:
    plan = Plan(invoice_request("key", **changes), ADA, None, intent, sent=False)
    known = None if shown is None else invoice_snapshot(invoice(**shown))
    return next_step(plan, known, sent=sent)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (None, "create"),
        (DRAFT | {"lines": listed(), "total": 0}, "add_lines"),
        (DRAFT, "finalize"),
        (DRAFT | {"total": 11881}, "astray"),
        (DRAFT | {"total_taxes": [{"amount": 1979}]}, "astray"),
        (DRAFT | {"currency": "eur"}, "astray"),
        ({}, "send"),
        ({"status": "paid"}, None),
        ({"status": "void"}, None),
        ({"status": "uncollectible"}, None),
    ],
)
def test_an_invoice_that_is_mailed_goes_step_by_step(shown: dict[str, Any] | None, expected: str | None) -> None:
    assert following(shown) == expected


def test_what_was_mailed_is_not_mailed_again() -> None:
    assert following({}, sent=True) is None
    assert following({}, send=False) is None


def test_a_draft_that_is_to_stay_one_does() -> None:
    assert following(DRAFT, draft=True) is None
    assert following(DRAFT | {"total": 1}, draft=True) == "astray"


def test_a_payment_is_attached_once() -> None:
    attached = {"payments": listed(invoice_payment(status="open"))}
    assert following({}, intent="pi_1", send=False) == "attach_payment"
    assert following(attached, intent="pi_1", send=False) is None
    assert following(attached, intent="pi_2", send=False) == "attach_payment"


def test_a_due_day_is_the_noon_of_it() -> None:
    moment = due_at(invoice_request("key", due_date="2026-04-30", days_until_due=None))
    assert moment is not None
    assert moment.isoformat() == "2026-04-30T12:00:00+00:00"
    assert due_at(invoice_request("key")) is None
