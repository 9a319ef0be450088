"""Results: kept and read back whole; a remainder of one day does not hide another's."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from workers.services.reconciliation.breaks import SUGGESTIONS, Break, BreakKind, Fix
from workers.services.reconciliation.result import Result, Total, counts

DAY = dt.date(2026, 11, 1)


def broken(kind: BreakKind, effect: int = 0) -> Break:
    return Break(kind, DAY, "gbp", "charge", "ch_1", "pay_1", 5, None, effect, Fix.REFRESH)


def test_a_result_is_read_back_as_it_was_kept() -> None:
    result = Result(3, [broken(BreakKind.AMOUNT_DIFFERS, 5)], totals={("2026-11-01", "gbp"): Total(10, 4, 1, 5)})
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_what_remains_of_one_day_does_not_make_up_for_another() -> None:
    totals = {("2026-11-01", "gbp"): Total(stripe=7), ("2026-11-02", "gbp"): Total(ledger=7)}
    assert Result(totals=totals).remainder == {"gbp": 14}


def test_pieces_of_a_day_add_up() -> None:
    result = Result(totals={("2026-11-01", "gbp"): Total(stripe=7)})
    result.add(Result(1, totals={("2026-11-01", "gbp"): Total(ledger=7)}))
    assert (result.remainder, result.movements, result.is_clean) == ({}, 1, True)


@pytest.mark.parametrize("kind", BreakKind)
def test_every_kind_says_what_to_do_and_only_notices_are_no_fault(kind: BreakKind) -> None:
    assert SUGGESTIONS[kind]
    result = Result(breaks=[broken(kind)])
    assert result.is_clean == kind.is_notice
    assert counts(result) == ({} if kind.is_notice else {kind.value: 1})
