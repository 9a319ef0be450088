"""The demo's batch: what is missing, doubled, wrong or refused without reason is told line by line."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.demo.batch import BAD, LINES, differences, make_invoice, wrongly_refused

BODIES = [make_invoice(number, "B") for number in range(LINES)]
GOOD = [number for number in range(LINES) if number not in BAD]
TOTALS = {0: 22_200, 1: 23_762}  # 185.00 and a fifth; twice 99.01 and a fifth, 237.624


def lines() -> list[dict[str, Any]]:
    return [{"line": number, "status": "refused" if number in BAD else "sent"} for number in range(LINES)]


def at_stripe() -> list[dict[str, Any]]:
    made = []
    for number in GOOD:
        [line] = BODIES[number]["lines"]
        net = line["quantity"] * line["unit_amount"]
        made.append(
            {
                "metadata": {"booking_reference": BODIES[number]["booking_reference"]},
                "total": TOTALS.get(number, round(net * 1.2)),
                "status": "open",
                "number": f"P-{number}",
            }
        )
    return made


def test_a_batch_that_is_at_stripe_line_by_line_is_as_it_should_be() -> None:
    assert differences(BODIES, lines(), at_stripe()) == []


def test_a_missing_and_a_second_invoice_are_told() -> None:
    made = at_stripe()
    assert differences(BODIES, lines(), made[1:]) == ["line 0 has 0 invoices at Stripe"]
    assert differences(BODIES, lines(), [*made, made[1]]) == ["line 1 has 2 invoices at Stripe"]


@pytest.mark.parametrize(("field", "value"), [("total", 22_201), ("status", "draft"), ("number", None)])
def test_an_invoice_that_is_another_than_was_asked_for_is_told(field: str, value: Any) -> None:
    made = at_stripe()
    made[0][field] = value
    [told] = differences(BODIES, lines(), made)
    assert told.startswith("line 0 is over")


def test_an_invoice_of_a_line_that_was_refused_or_of_nobody_is_told() -> None:
    refused, strange = at_stripe()[0], at_stripe()[0]
    refused["metadata"], strange["metadata"] = {"booking_reference": "B-12"}, {}
    told = differences(BODIES, lines(), [*at_stripe(), refused, strange])
    assert told == ["line 12 has 1 invoices at Stripe", "nobody asked for 1 invoices of None"]


def test_a_line_that_does_not_end_as_sent_is_told() -> None:
    ended = lines()
    ended[3]["status"] = "refused"
    assert differences(BODIES, ended, at_stripe()) == ["line 3 is refused in the end"]


def test_lines_may_only_be_refused_for_what_is_wrong_with_them() -> None:
    refused = {number: {"errors": [{"code": code}]} for number, code in BAD.items()}
    assert wrongly_refused(refused) == []
    assert wrongly_refused({**refused, 3: {"errors": [{"code": "required"}]}})
    assert wrongly_refused({12: refused[12]})
    assert wrongly_refused({**refused, 36: {"errors": [{"code": "required"}]}})
