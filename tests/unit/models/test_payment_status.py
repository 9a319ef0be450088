"""The website's payment status follows from Stripe's facts by one table."""

from __future__ import annotations

import pytest

from models.payment import PAYMENT_MOVES
from models.payment_status import TERMINAL_AT_STRIPE, Facts, status_from

MONEY_MOVED = ("paid", "partially_refunded", "refunded", "disputed")


def facts(
    status: str, *, decline: str | None = None, received: int = 0, refunded: int = 0, disputed: bool = False
) -> Facts:
    return Facts(status, decline, received, refunded, disputed=disputed)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (facts("requires_payment_method"), "requires_confirmation"),
        (facts("requires_payment_method", decline="insufficient_funds"), "declined"),
        (facts("requires_payment_method", decline="authentication_required"), "requires_action"),
        (facts("requires_confirmation"), "requires_confirmation"),
        (facts("requires_action"), "requires_action"),
        (facts("requires_action", decline="insufficient_funds"), "requires_action"),
        (facts("processing"), "processing"),
        (facts("requires_capture"), "requires_capture"),
        (facts("canceled"), "canceled"),
        (facts("canceled", decline="fraudulent"), "canceled"),
        (facts("succeeded", received=4950), "paid"),
        (facts("succeeded", received=4950, decline="insufficient_funds"), "paid"),
        (facts("succeeded", received=4950, refunded=1), "partially_refunded"),
        (facts("succeeded", received=4950, refunded=4949), "partially_refunded"),
        (facts("succeeded", received=4950, refunded=4950), "refunded"),
        (facts("succeeded", received=4950, disputed=True), "disputed"),
        (facts("succeeded", received=4950, refunded=4950, disputed=True), "disputed"),
        (facts("requires_capture", received=0, disputed=True), "requires_capture"),
        (facts("a_status_of_the_future"), "in_review"),
    ],
)
def test_a_status_follows_from_the_facts(given: Facts, expected: str) -> None:
    assert status_from(given) == expected


def test_no_fact_of_stripes_is_ever_called_failed() -> None:
    """`failed` needs proof that no money moved, which only our own refused request is."""
    statuses = ["requires_payment_method", "requires_action", "processing", "canceled", "succeeded", "unknown"]
    for status in statuses:
        for decline in (None, "fraudulent"):
            assert status_from(facts(status, decline=decline)) != "failed"


@pytest.mark.parametrize("old", MONEY_MOVED)
def test_nothing_leads_back_from_where_money_has_moved(old: str) -> None:
    assert {new for new in PAYMENT_MOVES.states if PAYMENT_MOVES.allow(old, new)} == set(MONEY_MOVED)


@pytest.mark.parametrize("old", ["failed", "canceled"])
def test_a_payment_that_we_gave_up_may_yet_turn_out_to_be_there(old: str) -> None:
    assert PAYMENT_MOVES.allow(old, "requires_confirmation")
    assert PAYMENT_MOVES.allow(old, "paid")


@pytest.mark.parametrize("new", MONEY_MOVED)
def test_an_open_payment_may_be_found_wherever_money_has_moved(new: str) -> None:
    opened = set(PAYMENT_MOVES.states) - set(MONEY_MOVED)
    assert all(PAYMENT_MOVES.allow(old, new) for old in opened)


def test_what_is_final_at_stripe_is_known_to_be() -> None:
    assert {"succeeded", "canceled"} == TERMINAL_AT_STRIPE
