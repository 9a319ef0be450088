"""What is taken off a queue is looked at before kombu and Celery see it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from config.broker import StrayCounter, is_message


def message(body: bytes = b"[[], {}, {}]", **changes: Any) -> dict[str, Any]:
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "headers": {"task": "payments.create"},
        "properties": {"delivery_tag": "tag", "body_encoding": "base64"},
        **changes,
    }


def test_what_celery_sends_is_a_message() -> None:
    assert is_message(message())
    assert is_message(message(body=json.dumps([["job"], {}, {}]).encode()))


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [1, 2],
        "text",
        {},
        message(headers=None),
        message(properties=None),
        message(properties={"body_encoding": "base64"}),
        message(properties={"delivery_tag": 5, "body_encoding": "base64"}),
        message(properties={"delivery_tag": "tag", "body_encoding": "rot13"}),
        message() | {"body": None},
        message() | {"body": "%%%"},
        message(body=b"\xff\xfe"),
        message(body=b"no JSON"),
        message(body=b"[" * 100_000),
    ],
    ids=range(14),
)
def test_what_would_break_kombu_or_fill_the_log_is_none(odd: Any) -> None:
    assert not is_message(odd)


def test_strays_are_counted() -> None:
    counter = StrayCounter()
    counter.add()
    counter.add()
    assert counter.count == 2
