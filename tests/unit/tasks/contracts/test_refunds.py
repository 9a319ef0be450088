"""A refund's contract keeps every field, and its bytes."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from config.queues import REFUNDS
from tasks.contracts.refunds import CreateRefund

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
REFUND = CreateRefund("ref_1", "pay_1", 1500, "duplicate", {"b": "2", "a": "1"})


@given(
    st.builds(
        CreateRefund,
        refund_id=TEXT,
        payment_id=TEXT,
        amount=st.none() | st.integers(1, 2**63 - 1),
        reason=st.none() | TEXT,
        metadata=st.dictionaries(TEXT, TEXT, max_size=3),
        shown=st.none() | TEXT,
    )
)
def test_a_refund_reads_back_as_it_was_written(refund: CreateRefund) -> None:
    assert CreateRefund.from_bytes(refund.to_bytes()) == refund


def test_the_bytes_of_a_refund_never_change_within_a_version() -> None:
    assert (CreateRefund.KIND.version, CreateRefund.KIND.queue) == (1, REFUNDS)
    assert REFUND.to_bytes().decode() == (
        '{"amount":1500,"metadata":{"a":"1","b":"2"},"payment_id":"pay_1","reason":"duplicate","refund_id":"ref_1",'
        '"shown":null}'
    )


def test_all_that_is_left_is_another_refund_than_any_amount() -> None:
    assert dataclasses.replace(REFUND, amount=None).to_bytes() != REFUND.to_bytes()
