"""What the simulator has answered outlives its kill -9."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
import stripe

from tests.builders.simulator import ROOT, Simulator, running
from tests.polling import wait_until

THREADS = 8
ENOUGH = 200  # answers before the power cut


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "ledger.jsonl"


def create(simulator: Simulator, key: str) -> stripe.PaymentIntent:
    return simulator.client.v1.payment_intents.create(
        {"amount": 4200, "currency": "gbp", "confirm": True, "payment_method": "pm_card_visa"}, {"idempotency_key": key}
    )


def test_everything_answered_is_there_after_a_power_cut(ledger: Path) -> None:
    answered: dict[str, str] = {}

    def keep_paying(simulator: Simulator, thread: int) -> None:
        for number in range(10_000):
            key = f"{thread}-{number}"
            try:
                answered[key] = create(simulator, key).id
            except stripe.APIConnectionError:
                return

    with running("--ledger", str(ledger)) as simulator:
        threads = [threading.Thread(target=keep_paying, args=(simulator, number)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) >= ENOUGH, f"{ENOUGH} answers", within_s=60)
        simulator.kill()
        for thread in threads:
            thread.join()
    with running("--ledger", str(ledger)) as simulator:
        facts = simulator.control("GET", "ledger")
        intents = {each["id"]: each for each in facts["payment_intents"]}
        charges = {each["payment_intent"]: each for each in facts["charges"]}
        for key, name in answered.items():
            assert (intents[name]["status"], intents[name]["idempotency_key"]) == ("succeeded", key)
            assert (charges[name]["net"], charges[name]["status"]) == (4200, "succeeded")
        assert facts["totals"]["gbp"]["net"] == 4200 * len(facts["charges"])
        some = list(answered.items())[:: max(1, len(answered) // 20)]
        assert [create(simulator, key).id for key, _ in some] == [name for _, name in some]


def test_a_torn_last_line_is_cut_and_the_rest_kept(ledger: Path) -> None:
    with running("--ledger", str(ledger)) as simulator:
        customer = simulator.client.v1.customers.create({"name": "Ada"}).id
        simulator.kill()
    whole = ledger.read_bytes()
    ledger.write_bytes(whole + b'{"at":1,"puts":{"customers":[{"id":"cus_to')
    with running("--ledger", str(ledger)) as simulator:
        assert [each.id for each in simulator.client.v1.customers.list().data] == [customer]
        simulator.client.v1.customers.create({"name": "Bob"})
        simulator.kill()
    with running("--ledger", str(ledger)) as simulator:
        assert [each.name for each in simulator.client.v1.customers.list().data] == ["Bob", "Ada"]


def test_the_moved_clock_and_forgotten_keys_survive(ledger: Path) -> None:
    with running("--ledger", str(ledger)) as simulator:
        first = create(simulator, "key")
        moved = simulator.control("POST", "clock", {"advance_seconds": 25 * 3600})
        simulator.kill()
    with running("--ledger", str(ledger)) as simulator:
        assert simulator.control("GET", "clock")["offset_seconds"] == moved["offset_seconds"]
        assert create(simulator, "key").id != first.id


def test_two_simulators_never_share_a_ledger(ledger: Path) -> None:
    with running("--ledger", str(ledger)):
        second = subprocess.run(
            [sys.executable, "-m", "sandbox.simulator", "--port", "0", "--ledger", str(ledger)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 1
    assert "another simulator is using the ledger" in second.stderr


def test_a_ledger_damaged_in_the_middle_stops_the_start(ledger: Path) -> None:
    ledger.parent.mkdir(parents=True)
    ledger.write_text('{"at":1,"puts":{},"removed":[]}\nnonsense\n{"at":2,"puts":{},"removed":[]}\n')
    command = [sys.executable, "-m", "sandbox.simulator", "--port", "0", "--ledger", str(ledger)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "line 2 of the ledger" in ended.stderr
