"""What a payment intent may ask for, field by field."""

from __future__ import annotations

from typing import Any

import pytest

from ingress.fields import load
from ingress.payment_intents import PaymentIntentSchema, payment_contract
from ingress.problems import ProblemError
from tests.builders.ingress import body

SCHEMA = PaymentIntentSchema()
CUSTOMER = {"name": "Ada", "email": "ada@example.org"}
SHOPPER = {"ip": "203.0.113.7", "user_agent": "x"}

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"amount": 0}, "/amount", "amount_too_small"),
    ({"amount": -1}, "/amount", "amount_too_small"),
    ({"amount": 29}, "/amount", "amount_too_small"),
    ({"amount": 49, "currency": "usd"}, "/amount", "amount_too_small"),
    ({"amount": 100_000_000}, "/amount", "amount_too_large"),
    ({"amount": True}, "/amount", "not_an_integer"),
    ({"amount": 1.0}, "/amount", "not_an_integer"),
    ({"amount": "4950"}, "/amount", "not_an_integer"),
    ({"amount": None}, "/amount", "null"),
    ({"amount": [4950]}, "/amount", "not_an_integer"),
    ({"currency": "xxx"}, "/currency", "currency_unknown"),
    ({"currency": "GBP"}, "/currency", "currency_unknown"),
    ({"currency": 5}, "/currency", "not_text"),
    ({"currency": {}}, "/currency", "not_text"),
    ({"booking_reference": ""}, "/booking_reference", "too_short"),
    ({"booking_reference": "x" * 65}, "/booking_reference", "too_long"),
    ({"booking_reference": "<script>"}, "/booking_reference", "unfit_text"),
    ({"customer": None}, "/customer", "null"),
    ({"customer": "Ada"}, "/customer", "not_an_object"),
    ({"customer": []}, "/customer", "not_an_object"),
    ({"customer": {}}, "/customer/email", "required"),
    ({"customer": CUSTOMER | {"email": "ada"}}, "/customer/email", "not_an_email"),
    ({"customer": CUSTOMER | {"email": "a@" + "b" * 250 + ".org"}}, "/customer/email", "too_long"),
    ({"customer": CUSTOMER | {"name": "   "}}, "/customer/name", "too_short"),
    ({"customer": CUSTOMER | {"name": "x" * 201}}, "/customer/name", "too_long"),
    ({"customer": CUSTOMER | {"phone": "1"}}, "/customer/phone", "unknown_field"),
    ({"description": "x" * 501}, "/description", "too_long"),
    ({"metadata": []}, "/metadata", "not_an_object"),
    ({"metadata": {str(i): "x" for i in range(21)}}, "/metadata", "too_many"),
    ({"metadata": {"x" * 41: "x"}}, "/metadata/" + "x" * 41, "unfit_name"),
    ({"metadata": {"": "x"}}, "/metadata/", "unfit_name"),
    ({"metadata": {"a": 5}}, "/metadata/a", "not_text"),
    ({"metadata": {"a": "x" * 501}}, "/metadata/a", "too_long"),
    ({"metadata": {"tollgate_operation": "x"}}, "/metadata/tollgate_operation", "reserved"),
    ({"metadata": {"Tollgate_x": "x"}}, "/metadata/Tollgate_x", "reserved"),
    ({"shopper": SHOPPER | {"ip": "1.2.3"}}, "/shopper/ip", "not_an_ip_address"),
    ({"shopper": SHOPPER | {"ip": "fe80::1%eth0"}}, "/shopper/ip", "not_an_ip_address"),
    ({"shopper": SHOPPER | {"ip": 16909060}}, "/shopper/ip", "not_text"),
    ({"shopper": SHOPPER | {"user_agent": "x" * 513}}, "/shopper/user_agent", "too_long"),
    ({"unknown": 1}, "/unknown", "unknown_field"),
    ({"currency": "chf"}, "/currency", "currency_not_allowed"),
    ({"currency": "jpy"}, "/currency", "currency_not_allowed"),
    ({"capture": "later"}, "/capture", "capture_unknown"),
    ({"capture": None}, "/capture", "null"),
    ({"save_card": "true"}, "/save_card", "not_a_boolean"),
    ({"save_card": 1}, "/save_card", "not_a_boolean"),
    ({"off_session": None}, "/off_session", "null"),
    ({"receipt": "no"}, "/receipt", "not_a_boolean"),
    ({"save_card": True, "off_session": True}, "/save_card", "contradiction"),
]


@pytest.mark.parametrize(("change", "field", "code"), WRONG, ids=lambda value: repr(value)[:50])
def test_a_wrong_field_is_refused_by_name(change: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(ProblemError) as refused:
        load(SCHEMA, body(**change))
    assert refused.value.kind.status == 422
    assert (field, code) in [(error.field, error.code) for error in refused.value.errors]


def test_every_missing_field_is_named() -> None:
    with pytest.raises(ProblemError) as refused:
        load(SCHEMA, {})
    wanted = {"/amount", "/currency", "/booking_reference", "/customer", "/shopper"}
    assert {error.field for error in refused.value.errors} == wanted
    assert {error.code for error in refused.value.errors} == {"required"}


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 30},
        {"amount": 99_999_999, "currency": "eur"},
        {"description": None},
        {"metadata": {}},
        {"customer": {"name": "Zoë 中", "email": "zoe+1@sub.example.org"}},
        {"shopper": {"ip": "2001:db8::1", "user_agent": "x"}},
    ],
    ids=repr,
)
def test_what_is_acceptable_is_accepted(change: dict[str, Any]) -> None:
    load(SCHEMA, body(**change))


def test_amounts_are_held_against_the_rules_of_every_currency_that_is_allowed() -> None:
    schema = PaymentIntentSchema(("kwd", "jpy"))
    load(schema, body(currency="kwd", amount=5120))
    load(schema, body(currency="jpy", amount=51))
    for change, code in (
        ({"currency": "kwd", "amount": 5124}, "amount_not_rounded"),
        ({"currency": "jpy", "amount": 49}, "amount_too_small"),
        ({"currency": "gbp"}, "currency_not_allowed"),
    ):
        with pytest.raises(ProblemError) as refused:
            load(schema, body(**change))
        assert [error.code for error in refused.value.errors] == [code]


def test_how_the_money_is_taken_is_passed_on() -> None:
    asked = payment_contract("pay_1", load(SCHEMA, body(capture="manual", save_card=True, receipt=True)))
    assert (asked.capture_method, asked.save_card, asked.off_session, asked.receipt) == ("manual", True, False, True)
    away = payment_contract("pay_1", load(SCHEMA, body(off_session=True)))
    assert (away.capture_method, away.save_card, away.off_session, away.receipt) == ("automatic", False, True, False)


def test_the_job_holds_what_was_asked() -> None:
    asked = load(SCHEMA, body(shopper={"ip": "2001:DB8::0001", "user_agent": "x"}))
    contract = payment_contract("pay_1", asked)
    assert (contract.amount, contract.currency, contract.customer_email) == (4950, "gbp", "ada@example.org")
    assert contract.shopper_ip == "2001:db8::1"
    assert contract.metadata == {"course": "first-aid"}
    optional = {key: value for key, value in body().items() if key not in {"description", "metadata"}}
    bare = payment_contract("pay_1", load(SCHEMA, optional))
    assert (bare.description, bare.metadata) == (None, {})
