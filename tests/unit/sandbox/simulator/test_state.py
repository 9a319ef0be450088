from __future__ import annotations

from random import Random

from sandbox.simulator.clock import Clock
from sandbox.simulator.identifiers import Identifiers
from sandbox.simulator.state import Change, State


def change_of(state: State) -> Change:
    return Change(state, Clock(lambda: 5.0), Identifiers(Random(1)), "", "req_1", "key")


def test_a_change_sees_itself_and_nobody_else_sees_it_before_it_is_applied() -> None:
    state = State()
    change = change_of(state)
    assert change.is_empty()
    change.create("customers", {"id": "cus_1"})
    assert change.get("customers", "cus_1") == {"id": "cus_1"}
    assert state.get("customers", "cus_1") is None
    state.apply(change.record())
    assert state.get("customers", "cus_1") == {"id": "cus_1"}
    assert state.get("origins", "cus_1") == {"id": "cus_1", "request": "req_1", "idempotency_key": "key"}


def test_a_replaced_object_keeps_its_place_and_a_removed_one_is_gone() -> None:
    state = State()
    for name in ("a", "b", "c"):
        change = change_of(state)
        change.put("charges", {"id": name})
        state.apply(change.record())
    change = change_of(state)
    change.put("charges", {"id": "a", "paid": True})
    change.remove("charges", "b")
    state.apply(change.record())
    assert [each["id"] for each in state.newest("charges")] == ["c", "a"]
    assert state.get("charges", "a") == {"id": "a", "paid": True}
