from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sandbox.simulator import ledger as ledger_module
from sandbox.simulator.ledger import Ledger, LedgerError
from tests.polling import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def test_records_come_back_in_order(path: Path) -> None:
    first = Ledger(path)
    for number in range(3):
        first.append({"number": number, "name": "Zoë"})
    first.close()
    second = Ledger(path)
    assert [record["number"] for record in second.replay()] == [0, 1, 2]
    second.close()


def test_writing_goes_on_after_a_torn_line_was_cut(path: Path) -> None:
    path.write_bytes(b'{"number":1}\n{"number":2')
    ledger = Ledger(path)
    assert [record["number"] for record in ledger.replay()] == [1]
    ledger.append({"number": 3})
    ledger.close()
    assert path.read_bytes() == b'{"number":1}\n{"number":3}\n'


def test_many_waiters_share_few_syncs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = 0
    first_begun, first_may_end = threading.Event(), threading.Event()

    def slow_sync(_descriptor: int) -> None:
        nonlocal syncs
        syncs += 1
        first_begun.set()
        first_may_end.wait(10)

    monkeypatch.setattr(ledger_module, "sync", slow_sync)
    ledger = Ledger(path)

    def write() -> None:
        ledger.append({})
        ledger.wait(ledger.promised())

    threads = [threading.Thread(target=write) for _ in range(20)]
    threads[0].start()
    assert first_begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    wait_until(lambda: ledger.promised() == 20, "twenty records")
    first_may_end.set()
    for thread in threads:
        thread.join(10)
    assert 2 <= syncs <= 3


def test_nobody_is_answered_once_the_disk_has_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken_sync(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(ledger_module, "sync", broken_sync)
    ledger = Ledger(path)
    ledger.append({})
    for _ in range(2):
        with pytest.raises(LedgerError, match="Input/output error"):
            ledger.wait(ledger.promised())


def test_a_line_that_did_not_fit_leaves_no_trace(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(path)
    ledger.append({"number": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:5]))
    with pytest.raises(OSError, match="only 5 of"):
        ledger.append({"number": 2})
    monkeypatch.undo()
    ledger.append({"number": 3})
    ledger.close()
    assert path.read_bytes() == b'{"number":1}\n{"number":3}\n'


def test_a_note_that_is_not_promised_holds_back_no_answer(path: Path) -> None:
    ledger = Ledger(path)
    ledger.append({}, promised=False)
    assert ledger.promised() == 0
    ledger.append({})
    assert ledger.promised() == 2
    ledger.close()


def test_without_a_file_nothing_is_kept_and_nothing_waits() -> None:
    ledger = Ledger(None)
    ledger.append({})
    ledger.wait(99)
    assert list(ledger.replay()) == []
    ledger.close()


def test_only_one_holds_a_ledger_at_a_time(path: Path) -> None:
    first = Ledger(path)
    with pytest.raises(LedgerError, match="another simulator"):
        Ledger(path)
    first.close()
    Ledger(path).close()
