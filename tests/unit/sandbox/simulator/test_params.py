from __future__ import annotations

from typing import Any

import pytest

from sandbox.simulator.errors import ApiError
from sandbox.simulator.params import (
    Param,
    boolean,
    choice,
    decode,
    integer,
    listing,
    mapping,
    merged_metadata,
    metadata,
    read,
    text,
)

SPEC = {
    "amount": Param(integer(1, 100), required=True),
    "enabled": Param(boolean),
    "expand": Param(listing(text())),
    "method": Param(choice("automatic", "manual")),
    "metadata": Param(metadata),
    "nested": Param(mapping({"inner": Param(integer(), required=True)})),
}


@pytest.mark.parametrize(
    ("encoded", "decoded"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a[0]=1&a[1]=2", {"a": {"0": "1", "1": "2"}}),
        ("a=%C2%A3&b=x+y", {"a": "£", "b": "x y"}),
        ("a=", {"a": ""}),
        ("a=1&a=2", {"a": "2"}),
        ("a[b=1", {"a[b": "1"}),
        ("", {}),
    ],
)
def test_bracketed_forms_become_nested_mappings(encoded: str, decoded: dict[str, Any]) -> None:
    assert decode(encoded) == decoded


@pytest.mark.parametrize("encoded", ["a=1&a[b]=2", "a[b]=2&a=1", "a" + "[b]" * 20 + "=1"])
def test_a_form_that_contradicts_itself_or_is_too_deep_is_refused(encoded: str) -> None:
    with pytest.raises(ApiError) as caught:
        decode(encoded)
    assert (caught.value.status, caught.value.param) == (400, "a")


def test_values_are_read_with_their_types() -> None:
    raw = decode("amount=12&enabled=true&expand[]=x&method=manual&metadata[k]=v&nested[inner]=-3")
    assert read(SPEC, raw) == {
        "amount": 12,
        "enabled": True,
        "expand": ["x"],
        "method": "manual",
        "metadata": {"k": "v"},
        "nested": {"inner": -3},
    }


@pytest.mark.parametrize(
    ("encoded", "code", "param"),
    [
        ("", "parameter_missing", "amount"),
        ("amount=x", "parameter_invalid_integer", "amount"),
        ("amount=1.0", "parameter_invalid_integer", "amount"),
        ("amount=٣", "parameter_invalid_integer", "amount"),
        ("amount=99999999999999999999", "parameter_invalid_integer", "amount"),
        ("amount=0", "parameter_invalid_integer", "amount"),
        ("amount=101", "parameter_invalid_integer", "amount"),
        ("amount=", "parameter_invalid_empty", "amount"),
        ("amount[a]=1", None, "amount"),
        ("amount=1&colour=red", "parameter_unknown", "colour"),
        ("amount=1&nested[colour]=red", "parameter_unknown", "nested[colour]"),
        ("amount=1&nested[x]=1", "parameter_unknown", "nested[x]"),
        ("amount=1&nested=1", None, "nested"),
        ("amount=1&enabled=1", None, "enabled"),
        ("amount=1&method=other", None, "method"),
        ("amount=1&expand=x", None, "expand"),
        ("amount=1&metadata=x", None, "metadata"),
        ("amount=1&metadata[a][b]=x", None, "metadata"),
    ],
)
def test_what_is_wrong_is_named(encoded: str, code: str | None, param: str) -> None:
    with pytest.raises(ApiError) as caught:
        read(SPEC, decode(encoded))
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, code, param)


def test_metadata_is_merged_as_stripe_does() -> None:
    assert merged_metadata({"a": "1", "b": "2"}, {"b": "", "c": "3"}) == {"a": "1", "c": "3"}
    assert merged_metadata({"a": "1"}, None) == {}


def test_an_empty_text_unsets_and_a_long_one_is_refused() -> None:
    assert text()("name", "") is None
    with pytest.raises(ApiError, match="must be at most 5 characters"):
        text(5)("name", "abcdef")
