"""What may be posted as evidence, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest

from config.evidence import MOST_TEXT, TEXTS
from ingress.evidence import SCHEMA
from ingress.fields import load
from ingress.problems import ProblemError
from sandbox.simulator import dispute_evidence

GOOD: dict[str, Any] = {
    "access_activity_log": "2026-03-12 09:02 signed in\n2026-03-12 16:55\tpassed",
    "billing_address": "12 St James's Square\nLondon",
    "customer_email_address": "ada@example.org",
    "customer_name": "Ada Lovelace",
    "customer_purchase_ip": "203.0.113.7",
    "service_date": "2026-03-12",
}


def flaws(**document: Any) -> list[tuple[str, str]]:
    with pytest.raises(ProblemError) as refused:
        load(SCHEMA, document)
    assert refused.value.kind.code == "validation_failed"
    return [(wrong.field, wrong.code) for wrong in refused.value.errors]


def test_good_texts_are_taken_as_they_are() -> None:
    assert load(SCHEMA, GOOD) == GOOD


def test_an_address_is_written_in_its_canonical_form() -> None:
    assert load(SCHEMA, {"customer_purchase_ip": "2001:DB8:0::1"}) == {"customer_purchase_ip": "2001:db8::1"}


def test_the_longest_text_is_taken() -> None:
    assert load(SCHEMA, {"uncategorized_text": "x" * MOST_TEXT})


@pytest.mark.parametrize(
    ("document", "field", "code"),
    [
        ({}, "", "nothing_asked"),
        ({"attendance": "x"}, "/attendance", "unknown_field"),
        ({"shipping_date": "2026-03-12"}, "/shipping_date", "unknown_field"),
        ({"receipt": "file_1"}, "/receipt", "unknown_field"),
        ({"duplicate_charge_id": "ch_1"}, "/duplicate_charge_id", "unknown_field"),
        ({"access_activity_log": ""}, "/access_activity_log", "too_short"),
        ({"access_activity_log": " \n\t "}, "/access_activity_log", "too_short"),
        ({"access_activity_log": "x" * (MOST_TEXT + 1)}, "/access_activity_log", "too_long"),
        ({"access_activity_log": "x\r\n"}, "/access_activity_log", "unfit_text"),
        ({"access_activity_log": None}, "/access_activity_log", "null"),
        ({"access_activity_log": ["x"]}, "/access_activity_log", "not_text"),
        ({"access_activity_log": 7}, "/access_activity_log", "not_text"),
        ({"customer_name": "Ada\nLovelace"}, "/customer_name", "unfit_text"),
        ({"customer_name": "x" * 201}, "/customer_name", "too_long"),
        ({"customer_email_address": "ada"}, "/customer_email_address", "not_an_email"),
        ({"customer_email_address": "ada@example.org\n"}, "/customer_email_address", "not_an_email"),
        ({"customer_purchase_ip": "203.0.113"}, "/customer_purchase_ip", "not_an_ip_address"),
        ({"customer_purchase_ip": "fe80::1%eth0"}, "/customer_purchase_ip", "not_an_ip_address"),
        ({"service_date": "12 March 2026"}, "/service_date", "not_a_day"),
        ({"service_date": "2026-02-30"}, "/service_date", "not_a_day"),
        ({"service_date": "2026-03-12T09:00:00Z"}, "/service_date", "not_a_day"),
        ({"service_date": ""}, "/service_date", "not_a_day"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_acceptable_is_named_with_its_code(document: dict[str, Any], field: str, code: str) -> None:
    assert flaws(**document) == [(field, code)]


def test_it_takes_the_fields_that_are_kept_and_these_are_stripes() -> None:
    assert set(SCHEMA.fields) == set(TEXTS)
    assert set(TEXTS) <= set(dispute_evidence.TEXTS)
