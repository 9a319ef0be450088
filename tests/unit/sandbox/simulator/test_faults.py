from __future__ import annotations

from typing import Any

import pytest

from sandbox.simulator.faults import Faults, parse
from sandbox.simulator.wire import Request


def request(method: str = "POST", path: str = "/v1/payment_intents", body: bytes = b"") -> Request:
    return Request(method, path, "", {}, body)


def script(*rules: dict[str, Any]) -> Faults:
    faults = Faults()
    faults.add(parse(list(rules)))
    return faults


def test_a_rule_without_limits_fires_once_on_anything() -> None:
    faults = script({"do": "drop"})
    fired = [faults.fire(request()).rule is not None for _ in range(3)]
    assert fired == [True, False, False]


@pytest.mark.parametrize(
    ("match", "fires"),
    [
        ({"nth": 3}, [False, False, True, False, False]),
        ({"after": 1, "times": 2}, [False, True, True, False, False]),
        ({"after": 3, "times": 0}, [False, False, False, True, True]),
    ],
)
def test_which_requests_are_spoilt_is_counted(match: dict[str, int], fires: list[bool]) -> None:
    faults = script({"do": "drop", "match": match})
    assert [faults.fire(request()).rule is not None for _ in fires] == fires


@pytest.mark.parametrize(
    ("match", "fires"),
    [
        ({"method": "POST"}, True),
        ({"method": "GET"}, False),
        ({"path": "payment_intents$"}, True),
        ({"path": "^/v1/customers"}, False),
        ({"body": r"metadata\[op\]=a b"}, True),
        ({"body": "absent"}, False),
    ],
)
def test_a_rule_matches_method_path_and_decoded_body(match: dict[str, str], *, fires: bool) -> None:
    faults = script({"do": "drop", "match": match})
    assert (faults.fire(request(body=b"metadata%5Bop%5D=a+b")).rule is not None) == fires


def test_latencies_add_up_and_the_first_other_rule_wins() -> None:
    faults = script({"do": "latency", "ms": 100}, {"do": "drop"}, {"do": "rate_limit"}, {"do": "latency", "seconds": 1})
    fired = faults.fire(request())
    assert fired.latency_seconds == pytest.approx(1.1)
    assert fired.kind_is("drop")
    assert [rule["fired"] for rule in faults.report()] == [1, 1, 0, 1]
    assert faults.fire(request()).kind_is("rate_limit")


@pytest.mark.parametrize(
    ("rule", "effect"),
    [({"do": "drop"}, True), ({"do": "hang"}, True), ({"do": "reset"}, False), ({"do": "status"}, False)],
)
def test_whether_the_request_takes_effect_has_a_default_for_each_fault(rule: dict[str, Any], *, effect: bool) -> None:
    assert parse(rule)[0].effect == effect
    assert parse(rule | {"effect": not effect})[0].effect == (not effect)
