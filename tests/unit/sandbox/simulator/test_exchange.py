from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from random import Random

import pytest

from sandbox.simulator import ledger
from sandbox.simulator.clock import Clock
from sandbox.simulator.engine import Engine
from sandbox.simulator.exchange import Reply, answer
from sandbox.simulator.identifiers import Identifiers
from sandbox.simulator.ledger import Ledger, LedgerError
from sandbox.simulator.wire import Request

HEADERS = {"authorization": "Bearer sk_test_x"}
CREATE = Request("POST", "/v1/customers", "", HEADERS | {"idempotency-key": "k"}, b"name=Ada")
LIST = Request("GET", "/v1/customers", "", HEADERS, b"")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Ledger(tmp_path / "ledger.jsonl"), Clock(lambda: 1_000_000.0), Identifiers(Random(1)))


@pytest.mark.parametrize("look", [LIST, CREATE])
def test_nobody_hears_of_an_effect_before_it_is_on_the_disk(
    engine: Engine, look: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, may_end = threading.Event(), threading.Event()

    def slow_sync(_descriptor: int) -> None:
        syncing.set()
        assert may_end.wait(10)

    monkeypatch.setattr(ledger, "sync", slow_sync)
    replies: list[Reply] = []
    maker = threading.Thread(target=lambda: replies.append(answer(engine, CREATE)))
    maker.start()
    assert syncing.wait(10)
    assert engine.state.count("customers") == 1
    looker = threading.Thread(target=lambda: replies.append(answer(engine, look)))
    looker.start()
    if look is CREATE:
        looker.join(10)
        assert [reply.response and reply.response.status for reply in replies] == [409]
        replies.clear()
    assert replies == []
    may_end.set()
    maker.join(10)
    looker.join(10)
    assert {reply.response and reply.response.status for reply in replies} == {200}


def test_nothing_is_answered_once_the_disk_has_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_sync(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ledger, "sync", broken_sync)
    for request in (CREATE, LIST, CREATE):
        with pytest.raises(LedgerError, match="No space left"):
            answer(engine, request)


def test_what_could_not_be_recorded_has_not_happened(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_write(_descriptor: int, _line: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", broken_write)
    with pytest.raises(OSError, match="No space left"):
        answer(engine, CREATE)
    assert engine.state.count("customers") == 0
    monkeypatch.undo()
    reply = answer(engine, CREATE)
    assert reply.response is not None
    assert "Idempotent-Replayed" not in reply.response.headers


def test_one_record_holds_all_that_a_request_did(engine: Engine, tmp_path: Path) -> None:
    answer(engine, CREATE)
    lines = (tmp_path / "ledger.jsonl").read_text().splitlines()
    assert len(lines) == 1
    assert json.loads(lines[0])["puts"].keys() == {"customers", "events", "origins", "idempotency"}
