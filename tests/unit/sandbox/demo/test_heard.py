"""What the website heard is held against what became of its payments."""

from __future__ import annotations

from typing import Any

from sandbox.demo.heard import in_words, unheard


def message(name: str, kind: str, subject: str) -> dict[str, Any]:
    return {"webhook_id": name, "type": kind, "data": {"id": subject}}


PAYMENTS = [{"id": "pay_a", "status": "paid"}, {"id": "pay_b", "status": "declined"}]
ALL = [
    message("job_1", "payment.requires_confirmation", "pay_a"),
    message("job_2", "payment.paid", "pay_a"),
    message("job_3", "payment.declined", "pay_b"),
]


def test_all_is_well_when_each_payments_last_status_was_told() -> None:
    assert unheard(ALL, PAYMENTS) == []
    assert unheard(list(reversed(ALL)), PAYMENTS) == []


def test_a_payment_whose_last_status_was_not_told_is_named() -> None:
    assert unheard(ALL[:2], PAYMENTS) == ["pay_b is declined, and the website was not told"]


def test_a_message_that_was_taken_twice_is_named() -> None:
    assert unheard([*ALL, ALL[0]], PAYMENTS) == ["the website took job_1 2 times"]


def test_what_was_heard_is_counted_by_type() -> None:
    assert in_words([ALL[1], ALL[1], ALL[2]]) == "2 payment.paid, 1 payment.declined"
    assert in_words([]) == "nothing"
