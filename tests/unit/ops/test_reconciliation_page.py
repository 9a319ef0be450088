"""The page for accountants: complete in itself, in words, and with nothing that a browser would obey."""

from __future__ import annotations

import datetime as dt
from xml.etree import ElementTree as ET

import pytest

from ops.reconciliation_page import TITLES, page
from ops.reconciliation_plot import days
from workers.services.reconciliation.breaks import Break, BreakKind
from workers.services.reconciliation.result import Result, Total

WINDOW = (dt.datetime(2026, 11, 1, tzinfo=dt.UTC), dt.datetime(2026, 11, 3, tzinfo=dt.UTC))
TOTALS = {
    ("2026-11-01", "gbp"): Total(12_345, 12_300, 0, 45),
    ("2026-11-02", "gbp"): Total(-500, 0, 0, 0),
    ("2026-11-02", "jpy"): Total(700, 700, 0, 0),
}


def break_of(kind: BreakKind, stripe_id: str = "ch_1") -> Break:
    return Break(kind, WINDOW[0].date(), "gbp", "charge", stripe_id, "pay_1", 12_345, None, 45)


def test_books_that_agree_are_said_to_agree() -> None:
    assert "Stripe and our books agree" in page(WINDOW, Result())


@pytest.mark.parametrize("kind", BreakKind)
def test_every_kind_of_break_has_a_title_and_its_words(kind: BreakKind) -> None:
    written = page(WINDOW, Result(breaks=[break_of(kind)], totals=TOTALS))
    assert TITLES[kind] in written
    assert "123.45" in written


def test_totals_and_what_remains_are_shown_by_currency_in_its_main_unit() -> None:
    written = page(WINDOW, Result(3, totals=TOTALS))
    assert "Unexplained remainder: 5.00 gbp" in written
    assert ">700<" in written
    assert written.count("<svg") == 2


def test_nothing_is_loaded_and_nothing_is_obeyed() -> None:
    written = page(WINDOW, Result(breaks=[break_of(BreakKind.FOREIGN, "<script>alert(1)</script>")], totals=TOTALS))
    assert "<script" not in written
    assert not [word for word in ("http", "src=", "url(", "@import") if word in written]


def test_a_plot_is_well_formed_and_marks_what_remains() -> None:
    drawn = days("gbp", [(day, total) for (day, currency), total in TOTALS.items() if currency == "gbp"])
    assert drawn.count("<circle") == 1
    assert [each.tag for each in ET.fromstring(drawn)] == ["svg", "figcaption"]  # noqa: S314 - our own
    assert "<svg" in days("gbp", [])
