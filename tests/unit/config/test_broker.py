"""What is taken off a queue is looked at before kombu and Celery see it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from config.broker import StrayCounter, is_message

PROPERTIES = {
    "delivery_tag": "tag",
    "delivery_info": {"exchange": "", "routing_key": "payments"},
    "body_encoding": "base64",
}


def message(body: bytes = b"[[], {}, {}]", **changes: Any) -> dict[str, Any]:
    return {
        "body": base64.b64encode(body).decode(),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": {"task": "payments.create", "id": "job_1"},
        "properties": PROPERTIES,
        **changes,
    }


def test_what_celery_sends_is_a_message() -> None:
    assert is_message(message())
    assert is_message(message(body=json.dumps([["job"], {}, {}]).encode()))


def test_what_workers_tell_each_other_is_a_message() -> None:
    assert is_message(message(headers={"clock": 5, "expires": None}, body=b'{"method": "ping"}'))


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [1, 2],
        "text",
        {},
        message(headers=None),
        message(properties=None),
        message(properties={name: value for name, value in PROPERTIES.items() if name != "delivery_tag"}),
        message(properties={**PROPERTIES, "delivery_tag": 5}),
        message(properties={**PROPERTIES, "delivery_info": 7}),
        message(properties={**PROPERTIES, "delivery_info": {"exchange": None, "routing_key": "payments"}}),
        message(properties={**PROPERTIES, "body_encoding": "rot13"}),
        message() | {"content-encoding": 5},
        message() | {"content-type": "application/x-python-serialize"},
        message(headers={"task": "payments.create", "id": {}}),
        message(headers={"task": ["payments.create"], "id": "job_1"}),
        message(headers={"task": "payments.create", "id": "job_1", "eta": "2999-01-01T00:00:00+00:00"}),
        message(headers={"task": "payments.create", "id": "job_1", "retries": "many"}),
        message(body=b'[[["job"]], {}, {"callbacks": 5}]'),
        message(body=b"[5, 5, 5]"),
        message(body=b"5"),
        message() | {"body": None},
        message() | {"body": "%%%"},
        message(body=b"\xff\xfe"),
        message(body=b"no JSON"),
        message(body=b"[" * 100_000),
    ],
    ids=range(25),
)
def test_what_would_break_kombu_or_fill_the_log_is_none(odd: Any) -> None:
    assert not is_message(odd)


def test_strays_are_counted() -> None:
    counter = StrayCounter()
    counter.add()
    counter.add()
    assert counter.count == 2
