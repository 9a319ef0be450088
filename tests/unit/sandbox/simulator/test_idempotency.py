from __future__ import annotations

from random import Random

import pytest

from sandbox.simulator.clock import Clock
from sandbox.simulator.errors import ApiError
from sandbox.simulator.idempotency import REMEMBERED_SECONDS, KeysInUse, fingerprint, stored_result
from sandbox.simulator.identifiers import Identifiers
from sandbox.simulator.state import Change, State


@pytest.fixture
def change() -> Change:
    return Change(State(), Clock(lambda: 1_000_000.0), Identifiers(Random(1)), "http://127.0.0.1", "req_1", "k")


def store(change: Change, path: str = "/v1/customers", digest: str = "d") -> None:
    change.put("idempotency", stored_result(change, "k", path, digest, status=200, body="{}", should_retry=None))
    change.state.apply(change.record())


def test_a_fresh_key_is_reserved_until_given_back(change: Change) -> None:
    keys = KeysInUse()
    assert keys.take(change, "k", "/v1/customers", "d") is None
    with pytest.raises(ApiError) as caught:
        keys.take(change, "k", "/v1/customers", "d")
    assert (caught.value.status, caught.value.code, caught.value.should_retry) == (409, "idempotency_key_in_use", True)
    keys.give_back("k")
    assert keys.take(change, "k", "/v1/customers", "d") is None


def test_a_stored_key_is_replayed_for_the_same_request_only(change: Change) -> None:
    store(change)
    keys = KeysInUse()
    stored = keys.take(change, "k", "/v1/customers", "d")
    assert stored is not None
    assert (stored["status"], stored["body"], stored["request"]) == (200, "{}", "req_1")
    for path, digest in (("/v1/customers", "other"), ("/v1/refunds", "d")):
        with pytest.raises(ApiError) as caught:
            keys.take(change, "k", path, digest)
        assert (caught.value.status, caught.value.type) == (400, "idempotency_error")


def test_a_stored_key_is_forgotten_to_the_second(change: Change) -> None:
    store(change)
    keys = KeysInUse()
    change.clock.advance(REMEMBERED_SECONDS - 1)
    assert keys.take(change, "k", "/v1/customers", "d") is not None
    change.clock.advance(1)
    assert keys.take(change, "k", "/v1/customers", "d") is None


def test_a_fingerprint_does_not_depend_on_order() -> None:
    assert fingerprint({"a": "1", "b": {"c": "2", "d": "3"}}) == fingerprint({"b": {"d": "3", "c": "2"}, "a": "1"})
    assert fingerprint({"a": "1"}) != fingerprint({"a": "2"})
