"""What a refund may ask for, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from ingress.fields import load
from ingress.problems import ProblemError
from ingress.refunds import REASONS, RefundRequestSchema
from models import refund
from workers.services.stripe_refunds import OURS

SCHEMA = RefundRequestSchema()
WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": 0}, "/amount", "amount_too_small"),
    ({"amount": 100_000_000}, "/amount", "amount_too_large"),
    ({"amount": True}, "/amount", "not_an_integer"),
    ({"amount": None}, "/amount", "null"),
    ({"reason": "because"}, "/reason", "reason_unknown"),
    ({"reason": "expired_uncaptured_charge"}, "/reason", "reason_unknown"),
    ({"reason": None}, "/reason", "null"),
    ({"metadata": {"tollgate_operation": "x"}}, "/metadata/tollgate_operation", "reserved"),
    ({"payment": "pay_1"}, "/payment", "unknown_field"),
]


@pytest.mark.parametrize(("document", "field", "code"), WRONG)
def test_what_is_not_acceptable_is_named(document: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(ProblemError) as caught:
        load(SCHEMA, document)
    assert [(each.field, each.code) for each in caught.value.errors] == [(field, code)]


@pytest.mark.parametrize(
    "document",
    [{}, {"amount": 1}, {"reason": "duplicate", "metadata": {"ticket": "T-1"}}, {"amount": 99_999_999}],
)
def test_every_field_may_be_left_out(document: dict[str, Any]) -> None:
    assert load(SCHEMA, document) == document


def test_the_reasons_are_those_that_the_database_keeps() -> None:
    assert set(REASONS) == set(refund.REASONS)
    assert OURS == "ref_"
