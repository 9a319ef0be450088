"""Small arithmetic of the figures: plans in turn, the breaker's opening, sums of reports, what counts as unfinished."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from sandbox.chaos import report
from sandbox.chaos.database import dead, unfinished
from sandbox.chaos.fault_kinds import kill_redis
from sandbox.chaos.plan import in_turn
from sandbox.chaos.scenarios import SCENARIOS
from sandbox.chaos.scenarios.outage import until_open


def test_faults_in_turn_never_overlap_and_leave_a_gap() -> None:
    planned = in_turn([kill_redis(1, 2)] * 3 + [kill_redis(5, 5)], random.Random(1), 3.0)
    for before, after in itertools.pairwise(planned):
        assert after.at >= before.at + before.seconds + 3.0


@pytest.mark.parametrize(
    ("refusals", "failures"),
    [([], 0), ([1.0], 1), ([1.0, 1.1, 1.2, 3.2, 5.2], 3), ([1.0, 3.0], 1), ([1.0, 1.5, 2.0], 3)],
)
def test_the_breaker_is_open_from_the_first_long_pause_on(refusals: list[float], failures: int) -> None:
    assert until_open(refusals, gap=1.0) == failures


def scenario(**changes: Any) -> dict[str, Any]:
    sums = dict.fromkeys(report.SUMMED, 0)
    return {"passed": True, "availability": 1.0, "availability_raw": 0.9, "faults": {"kill web": 1}, **sums, **changes}


def test_a_report_sums_its_scenarios_and_shows_the_lowest_availability() -> None:
    done = {"a": scenario(accepted=5, lost=1, passed=False), "b": scenario(accepted=7, availability=0.5)}
    found = report.summary(7, "short", done, 1.0)
    assert (found["accepted"], found["lost"], found["availability"]) == (12, 1, 0.5)
    assert found["faults"] == {"kill web": 2}
    assert not found["passed"]


def test_a_report_without_any_scenario_has_not_passed() -> None:
    assert not report.summary(7, "short", {}, 0.0)["passed"]


def test_a_report_is_kept_whole(tmp_path: Path) -> None:
    path = tmp_path / "build" / "chaos.json"
    report.write(report.summary(7, "short", {"a": scenario()}, 1.0), path)
    assert json.loads(path.read_text())["scenarios"]["a"]["passed"]
    assert list(path.parent.iterdir()) == [path]


def test_jobs_that_wait_or_check_are_unfinished_and_dead_ones_are_not() -> None:
    states = {("a", "done"): 5, ("a", "checking"): 2, ("b", "ready"): 1, ("b", "dead"): 3, ("b", "refused"): 1}
    assert unfinished(states) == 3
    assert dead(states) == 3


def test_every_scenario_has_a_name_of_its_own_and_one_is_short() -> None:
    assert len({each.name for each in SCENARIOS}) == len(SCENARIOS)
    assert [each.name for each in SCENARIOS if each.short] == ["faults"]
