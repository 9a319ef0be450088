"""Comparing: each way in which a movement and its line may differ is a break of its kind."""

from __future__ import annotations

import dataclasses
import datetime as dt
from types import SimpleNamespace
from typing import Any

import pytest

from workers.gateways.balance_listings import BalanceMovement, Source
from workers.gateways.balance_snapshots import PayoutSnapshot
from workers.services.reconciliation.at_stripe import AtStripe, Piece
from workers.services.reconciliation.breaks import BreakKind, Fix
from workers.services.reconciliation.compare import Compared, compare_movements, compare_payouts
from workers.services.reconciliation.here import Here, Line

NOON = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
PIECE = Piece(NOON, NOON + dt.timedelta(hours=6))
PAYMENT: Any = SimpleNamespace(id="pay_1", stripe_id="pi_1", stripe_charge_id="ch_1", amount_received=4950)
CHARGE = Source("ch_1", "charge", 4950, "gbp", "succeeded", "pay_1/create/1", "pi_1", None)
MOVED = BalanceMovement("txn_1", 4950, 94, "gbp", NOON, "charge", CHARGE)


def line(kind: str, stripe_id: str, moved: int, currency: str = "gbp", at: dt.datetime = NOON) -> Line:
    return Line(kind, stripe_id, "pay_1", currency, at, moved)


def here(*lines: Line, payments: list[Any] | None = None) -> Here:
    return Here({(each.kind, each.stripe_id): each for each in lines}, [PAYMENT] if payments is None else payments)


def compared(*movements: BalanceMovement, known: Here) -> Compared:
    result = Compared(PIECE)
    compare_movements(result, AtStripe(list(movements)), known)
    return result


CAPTURE, FEE = line("capture", "ch_1", 4950), line("fee", "txn_1", -94)


def test_a_movement_and_its_line_match() -> None:
    result = compared(MOVED, known=here(CAPTURE, FEE))
    assert result.breaks == []
    [matched] = result.matched
    assert (matched.stripe_id, matched.movement_id, matched.amount, matched.fee) == ("ch_1", "txn_1", 4950, 94)


@pytest.mark.parametrize(
    ("lines", "kind", "effect", "fix"),
    [
        ((line("capture", "ch_1", 4900), FEE), BreakKind.AMOUNT_DIFFERS, 50, None),
        ((CAPTURE, line("fee", "txn_1", -90)), BreakKind.FEE_DIFFERS, -4, None),
        ((CAPTURE,), BreakKind.FEE_DIFFERS, -94, Fix.FEE),
        ((), BreakKind.LEDGER_MISSING, 4856, None),
    ],
    ids=["amount", "another fee", "no fee", "no line"],
)
def test_what_differs_is_a_break_that_explains_the_difference(
    lines: tuple[Line, ...], kind: BreakKind, effect: int, fix: Fix | None
) -> None:
    [found] = compared(MOVED, known=here(*lines)).breaks
    assert (found.kind, found.effect, found.fix) == (kind, effect, fix)


def test_money_of_a_payment_that_is_not_known_to_have_any_is_not_here() -> None:
    unpaid = SimpleNamespace(**{**vars(PAYMENT), "amount_received": 0})
    [found] = compared(MOVED, known=here(payments=[unpaid])).breaks
    assert (found.kind, found.fix) == (BreakKind.AT_STRIPE_NOT_HERE, Fix.REFRESH)


def test_a_second_movement_of_the_same_object_is_a_duplicate() -> None:
    again = dataclasses.replace(MOVED, id="txn_2")
    [found] = compared(MOVED, again, known=here(CAPTURE, FEE)).breaks
    assert (found.kind, found.effect) == (BreakKind.DUPLICATE, 4856)


def test_what_stripe_settles_in_another_currency_is_a_notice_in_both() -> None:
    settled = dataclasses.replace(MOVED, amount=5800, fee=0, currency="eur")
    breaks = compared(settled, known=here(CAPTURE)).breaks
    assert [(each.kind, each.currency, each.effect) for each in breaks] == [
        (BreakKind.CONVERTED, "eur", 5800),
        (BreakKind.CONVERTED, "gbp", -4950),
    ]


def test_a_line_in_a_currency_that_stripe_does_not_name_is_a_break_in_both() -> None:
    breaks = compared(dataclasses.replace(MOVED, fee=0), known=here(line("capture", "ch_1", 4950, "usd"))).breaks
    assert {each.kind for each in breaks} == {BreakKind.CURRENCY_DIFFERS}
    assert {each.currency: each.effect for each in breaks} == {"gbp": 4950, "usd": -4950}


@pytest.mark.parametrize(
    ("status", "kind"), [("in_transit", BreakKind.IN_TRANSIT), ("paid", BreakKind.AT_STRIPE_NOT_HERE)]
)
def test_a_payout_is_missed_only_once_it_is_paid(status: str, kind: BreakKind) -> None:
    payout = Source("po_1", "payout", 4856, "gbp", status, None, None, None)
    [found] = compared(BalanceMovement("txn_3", -4856, 0, "gbp", NOON, "payout", payout), known=here()).breaks
    assert (found.kind, found.effect, found.kind.is_notice) == (kind, -4856, status == "in_transit")


def test_what_was_posted_at_another_time_is_no_break_and_told_of() -> None:
    earlier = NOON - dt.timedelta(days=1)
    result = compared(MOVED, known=here(line("capture", "ch_1", 4950, at=earlier), FEE))
    assert (result.breaks, dict(result.timing)) == ([], {"gbp": 4950})


@pytest.mark.parametrize(
    ("automatic", "status", "found"),
    [(True, "paid", [BreakKind.PAYOUT_MISMATCH]), (False, "paid", []), (True, "failed", [])],
    ids=["wrong", "manual", "failed"],
)
def test_a_payout_is_the_sum_of_what_it_pays_out(automatic: bool, status: str, found: list[BreakKind]) -> None:
    payout = PayoutSnapshot("po_1", 4000, "gbp", status, NOON, automatic=automatic)
    result = Compared(PIECE)
    compare_payouts(result, AtStripe(payouts=[payout], parts={"po_1": [MOVED]}))
    assert [each.kind for each in result.breaks] == found
