"""Payment contracts keep every field, and refuse what is not theirs."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ContractError
from tasks.contracts.payments import CreatePayment, RefreshPayment

# What the door lets through: no NUL, no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
PAYMENTS = st.builds(
    CreatePayment,
    payment_id=TEXT,
    amount=st.integers(1, 2**63 - 1),
    currency=TEXT,
    booking_reference=TEXT,
    customer_name=TEXT,
    customer_email=TEXT,
    description=st.none() | TEXT,
    metadata=st.dictionaries(TEXT, TEXT, max_size=5),
    shopper_ip=TEXT,
    shopper_user_agent=TEXT,
)
PAYMENT = CreatePayment("pay_1", 12_000, "gbp", "B-1", "Zoë", "z@example.com", None, {"b": "2", "a": "1"}, "::1", "UA")


@given(PAYMENTS)
def test_a_payment_reads_back_as_it_was_written(payment: CreatePayment) -> None:
    assert CreatePayment.from_bytes(payment.to_bytes()) == payment


def test_equal_payments_have_equal_bytes_whatever_the_order_of_their_metadata() -> None:
    turned = dataclasses.replace(PAYMENT, metadata={"a": "1", "b": "2"})
    assert turned.to_bytes() == PAYMENT.to_bytes()


VERSION_1 = (
    '{"amount":12000,"booking_reference":"B-1","currency":"gbp","customer_email":"z@example.com",'
    '"customer_name":"Zoë","description":null,"metadata":{"a":"1","b":"2"},"payment_id":"pay_1",'
    '"shopper_ip":"::1","shopper_user_agent":"UA"}'
)


def test_the_bytes_of_a_payment_never_change_within_a_version() -> None:
    assert CreatePayment.KIND.version == 2
    assert PAYMENT.to_bytes().decode() == (
        '{"amount":12000,"booking_reference":"B-1","capture_method":"automatic","currency":"gbp",'
        '"customer_email":"z@example.com","customer_name":"Zoë","description":null,"hold_expires_at":null,'
        '"hold_late":null,"hold_token":null,"metadata":{"a":"1","b":"2"},"off_session":false,"on_duplicate":"flag",'
        '"payment_id":"pay_1","receipt":false,"save_card":false,"shopper_ip":"::1","shopper_user_agent":"UA"}'
    )


def test_what_an_older_version_wrote_is_read_as_it_was_meant() -> None:
    assert CreatePayment.from_bytes(VERSION_1.encode()) == PAYMENT


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b"1", b'"x"', b"\xff\xfe", b"\x80", b"{}"])
def test_what_is_no_contract_is_refused(payload: bytes) -> None:
    with pytest.raises(ContractError, match="no CreatePayment"):
        CreatePayment.from_bytes(payload)


NEEDED = [field.name for field in dataclasses.fields(CreatePayment) if field.default is dataclasses.MISSING]


@pytest.mark.parametrize("field", NEEDED)
def test_a_missing_field_is_named(field: str) -> None:
    fields = json.loads(PAYMENT.to_bytes())
    del fields[field]
    with pytest.raises(ContractError, match=f"missing or unknown fields: {field}"):
        CreatePayment.from_bytes(json.dumps(fields).encode())


def test_an_unknown_field_is_named() -> None:
    fields = json.loads(PAYMENT.to_bytes()) | {"card_number": "4242"}
    with pytest.raises(ContractError, match="card_number") as caught:
        CreatePayment.from_bytes(json.dumps(fields).encode())
    assert "4242" not in str(caught.value)


def test_a_refresh_reads_back() -> None:
    assert RefreshPayment.from_bytes(RefreshPayment("pay_1").to_bytes()) == RefreshPayment("pay_1")


def test_a_contract_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAYMENT.amount = 1
