"""docs/crash-points.md shows the crash table as the code has it."""

from __future__ import annotations

import pytest

from config.environment import Reader
from config.job_settings import read_jobs
from sandbox.crash_points import PAGE, page_with, table
from tasks.contracts import repairs
from tasks.contracts.steps import Step
from tests.builders.settings import put
from workers.projections import repair


def test_the_page_is_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    put(monkeypatch, {})
    with Reader() as read:
        written = table(read_jobs(read))
    assert PAGE.read_text() == page_with(PAGE.read_text(), written), "run: .venv/bin/python -m sandbox.crash_points"
    assert written.count("\n") == 2 + 2 * len(Step)


def test_the_table_reckons_with_the_periods_of_those_who_mend() -> None:
    assert repairs.WORKER_SHOWS_SECONDS == repair.WORKER_SECONDS
