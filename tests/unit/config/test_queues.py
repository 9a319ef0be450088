"""Every queue is served by exactly one kind of worker."""

from __future__ import annotations

from pathlib import Path

from config.queues import QUARANTINE, QUEUES, VIEWS
from sandbox.procfile import read_procfile

PROCFILE = Path(__file__).parents[3] / "Procfile"
COMMANDS = read_procfile(PROCFILE)


def words(name: str) -> list[str]:
    return COMMANDS[name][-1].split()


def served_by(name: str) -> list[str]:
    command = words(name)
    return command[command.index("-Q") + 1].split(",") if "-Q" in command else []


def test_every_queue_is_served_by_exactly_one_kind_of_worker() -> None:
    served = [queue for name in COMMANDS for queue in served_by(name)]
    assert sorted(served) == sorted(QUEUES)


def test_quarantine_has_a_process_with_one_thread_to_itself() -> None:
    assert served_by("worker-quarantine") == [QUARANTINE]
    command = words("worker-quarantine")
    assert command[command.index("-c") + 1] == "1"


def test_the_queues_are_those_of_the_design_and_two_more() -> None:
    of_the_design = {"payments", "refunds", "invoices", "webhooks", "notifications", "maintenance"}
    assert set(QUEUES) == of_the_design | {VIEWS, QUARANTINE}
