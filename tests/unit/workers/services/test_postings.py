"""Postings: whatever is heard, how often and in whatever order, the books come out the same."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.ledger import ACCOUNTS, LEDGER_KINDS
from workers.services import postings
from workers.services.postings import Movement, Posting

START = dt.datetime(2027, 1, 15, 8, 0, tzinfo=dt.UTC)
News = tuple[str, Movement]

amounts = st.integers(1, 2**40)
currencies = st.sampled_from(["gbp", "eur", "jpy"])


@st.composite
def movements(draw: st.DrawFn, prefix: str) -> Movement:
    number = draw(st.integers(0, 3))
    return Movement(f"{prefix}_{number}", 1000 + number, "gbp", START, f"pay_{number}")


RULES: dict[str, Callable[[Movement], Posting | tuple[Posting, ...]]] = {
    "capture": postings.capture,
    "fee": postings.fee,
    "refund": postings.refund,
    "refund_failed": lambda each: postings.refund_failed(each, START + dt.timedelta(days=1)),
    "dispute": postings.dispute,
    "dispute_reinstated": postings.dispute_reinstated,
    "dispute_fee": postings.dispute_fee,
    "payout": postings.payout,
    "payout_failed": lambda each: postings.payout_failed(each, START + dt.timedelta(days=1)),
}
OBJECTS = {
    "capture": "ch",
    "fee": "txn",
    "refund": "re",
    "refund_failed": "re",
    "dispute": "dp",
    "dispute_reinstated": "dp",
    "dispute_fee": "txn",
    "payout": "po",
    "payout_failed": "po",
}
news = st.sampled_from(list(RULES)).flatmap(lambda kind: st.tuples(st.just(kind), movements(OBJECTS[kind])))


def postings_of(kind: str, movement: Movement) -> tuple[Posting, ...]:
    found = RULES[kind](movement)
    return (found,) if isinstance(found, Posting) else found


def books(heard: Sequence[News]) -> tuple[dict[tuple[str, str], Posting], Counter[tuple[str, str]]]:
    """Return the transactions and balances after all that was heard, each written once by its kind and id."""
    written: dict[tuple[str, str], Posting] = {}
    for kind, movement in heard:
        for posting in postings_of(kind, movement):
            written.setdefault((posting.kind, posting.stripe_id), posting)
    balances: Counter[tuple[str, str]] = Counter()
    for posting in written.values():
        for account, amount in posting.lines:
            balances[account, posting.currency] += amount
    return written, balances


@given(st.data(), st.lists(news, max_size=12))
def test_any_order_and_repetition_of_the_same_news_gives_the_same_balances(
    data: st.DataObject, heard: list[News]
) -> None:
    again = data.draw(st.lists(st.sampled_from(heard), max_size=8)) if heard else []
    shuffled = data.draw(st.permutations([*heard, *again]))
    written, balances = books(heard)
    written_again, balances_again = books(shuffled)
    assert written_again.keys() == written.keys()
    assert balances_again == balances


@given(st.sampled_from(list(RULES)), amounts, currencies)
def test_every_transaction_adds_up_to_zero_between_two_accounts(kind: str, amount: int, currency: str) -> None:
    for posting in postings_of(kind, Movement("x_1", amount, currency, START, None)):
        assert sum(part for _, part in posting.lines) == 0
        assert len({account for account, _ in posting.lines}) == 2
        assert {account for account, _ in posting.lines} <= set(ACCOUNTS)


def test_every_kind_of_the_ledger_has_a_rule_that_posts_it() -> None:
    assert set(RULES) == set(LEDGER_KINDS)
    for kind in RULES:
        assert postings_of(kind, Movement("x_1", 1, "gbp", START, None))[-1].kind == kind


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("capture", {"stripe": 500, "sales": -500}),
        ("fee", {"fees": 500, "stripe": -500}),
        ("refund", {"refunds": 500, "stripe": -500}),
        ("dispute", {"disputes": 500, "stripe": -500}),
        ("dispute_reinstated", {"stripe": 500, "disputes": -500}),
        ("dispute_fee", {"fees": 500, "stripe": -500}),
        ("payout", {"bank": 500, "stripe": -500}),
    ],
)
def test_a_debit_is_positive_and_a_credit_negative(kind: str, lines: dict[str, int]) -> None:
    [posting] = postings_of(kind, Movement("x_1", 500, "gbp", START, None))
    assert dict(posting.lines) == lines


@pytest.mark.parametrize("kind", ["refund_failed", "payout_failed"])
def test_what_came_to_nothing_leaves_nothing_in_any_account(kind: str) -> None:
    _, balances = books([(kind, Movement("x_1", 500, "gbp", START, None))])
    assert set(balances.values()) == {0}


def test_what_came_to_nothing_did_so_later_than_it_was_made() -> None:
    made, failed = postings_of("refund_failed", Movement("re_1", 500, "gbp", START, "pay_1"))
    assert (made.kind, made.occurred_at) == ("refund", START)
    assert (failed.kind, failed.occurred_at) == ("refund_failed", START + dt.timedelta(days=1))
