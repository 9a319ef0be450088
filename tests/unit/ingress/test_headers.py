"""Idempotency-Key and Prefer, as clients write them."""

from __future__ import annotations

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from ingress.headers import idempotency_key, wait_seconds
from ingress.problems import ProblemError


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(EnvironBuilder(headers=named).get_environ())


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("abc", "abc"),
        ('"abc"', "abc"),
        (r'"a\"b\\c"', r'a"b\c'),
        ('"a b, c"', "a b, c"),
        ("x" * 255, "x" * 255),
        ('"unclosed', '"unclosed'),
    ],
)
def test_a_key_is_read_bare_or_quoted(header: str, key: str) -> None:
    assert idempotency_key(request(Idempotency_Key=header)) == key


@pytest.mark.parametrize("header", ["x" * 256, "schlüssel", "a\tb", '""', "one,two", "one, two", '"one","two"', "one,"])
def test_a_malformed_key_is_refused(header: str) -> None:
    with pytest.raises(ProblemError) as refused:
        idempotency_key(request(Idempotency_Key=header))
    assert refused.value.kind.code == "idempotency_key_invalid"


@pytest.mark.parametrize("headers", [{}, {"Idempotency_Key": "  "}])
def test_a_missing_key_is_named(headers: dict[str, str]) -> None:
    with pytest.raises(ProblemError) as refused:
        idempotency_key(request(**headers))
    assert refused.value.kind.code == "idempotency_key_missing"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=3", 3),
        ("respond-async, wait=3", 3),
        ("WAIT = 3; strict", 3),
        ('wait="3"', 3),
        ("wait=99", 10),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait", 0),
        ("wait=99999999999999999999", 0),
        ("nonsense;;;,,,", 0),
    ],
)
def test_prefer_wait_is_read_clamped_or_ignored(header: str, seconds: int) -> None:
    assert wait_seconds(request(Prefer=header), 10) == seconds
