from __future__ import annotations

import pytest

from workers.gateways.operations import idempotency_key, marked, operation_name, own_operation, parse_operation

PAYMENT = "pay_01hv8k2m3n4p5q6r7s8t9v0w1x"


def test_a_name_is_read_back_as_it_was_made() -> None:
    name = operation_name(PAYMENT, "create", 2)
    assert name == f"{PAYMENT}/create/2"
    assert parse_operation(name) == (PAYMENT, "create", 2)


def test_each_generation_has_an_idempotency_key_of_its_own() -> None:
    assert idempotency_key(operation_name(PAYMENT, "create", 1)) == f"tollgate/{PAYMENT}/create/1"
    assert idempotency_key(operation_name(PAYMENT, "create", 2)) == f"tollgate/{PAYMENT}/create/2"


@pytest.mark.parametrize(
    ("subject", "verb", "generation"),
    [
        ("", "create", 1),
        ("pay", "create", 1),
        ("pay_1/create", "create", 1),
        (PAYMENT, "", 1),
        (PAYMENT, "cre/ate", 1),
        (PAYMENT, "Create", 1),
        (PAYMENT, "create", 0),
        (PAYMENT, "create", -1),
        ("jane@example.com", "create", 1),
    ],
)
def test_what_cannot_be_read_back_is_not_made(subject: str, verb: str, generation: int) -> None:
    with pytest.raises(ValueError, match="is no operation"):
        operation_name(subject, verb, generation)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay_1",
        "pay_1/create",
        "pay_1/create/0",
        "pay_1/create/01",
        "pay_1/create/1\n",
        " pay_1/create/1",
        "a/b/c/d",
    ],
)
def test_a_foreign_name_is_not_taken_for_ours(text: str) -> None:
    assert parse_operation(text) is None


@pytest.mark.parametrize(
    ("metadata", "operation"),
    [
        ({}, None),
        ({"tollgate_operation": 7}, None),
        ({"tollgate_operation": "op"}, "op"),  # of before objects said whose they are
        ({"tollgate_operation": "op", "tollgate_system": "sys_1"}, "op"),
        ({"tollgate_operation": "op", "tollgate_system": "sys_2"}, None),
        ({"tollgate_operation": "op", "tollgate_system": 7}, "op"),
    ],
)
def test_an_operation_is_ours_unless_its_object_says_that_it_is_anothers(
    metadata: dict[str, object], operation: str | None
) -> None:
    assert own_operation(metadata, "sys_1") == operation


def test_what_is_made_is_read_back_as_ours() -> None:
    metadata = marked({"tollgate_system": "forged", "course": "first aid"}, "op", "sys_1")
    assert metadata["course"] == "first aid"
    assert own_operation(metadata, "sys_1") == "op"
    assert own_operation(metadata, "sys_2") is None
