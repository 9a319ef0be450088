"""The numbers of invoices: a gap is flagged once it is settled, and cleared when it is filled."""

from __future__ import annotations

import pytest

from tasks.contracts.steps import Step
from tests.builders.house import House
from workers.services.findings import of_others
from workers.services.invoice_numbers import MOST_TOLD, gaps, remember_number

pytestmark = pytest.mark.servers
MOST = 100


def numbered(house: House, *numbers: str | None, hours_ago: int = 2) -> None:
    with house.runtime.transaction(Step.BATCH) as session:
        for number in numbers:
            remember_number(session, number, f"in_{number}")
    house.sql("UPDATE invoice_numbers SET recorded_at = clock_timestamp() - make_interval(hours => :h)", h=hours_ago)


def found(house: House) -> dict[str, dict[str, object]]:
    with house.runtime.reading() as session:
        return gaps(session)


def test_numbers_that_follow_one_another_have_no_gap(house: House) -> None:
    numbered(house, "ABC-0001", "ABC-0002", "ABC-0003", "XYZ-0007")
    assert found(house) == {}


def test_what_is_missing_in_between_is_named_for_each_prefix(house: House) -> None:
    numbered(house, "ABC-0001", "ABC-0004", "ABC-0006", "XYZ-0001", "XYZ-0002")
    assert found(house) == {"ABC": {"missing": [2, 3, 5], "number": 3}}
    numbered(house, "ABC-0002", "ABC-0003", "ABC-0005")
    assert found(house) == {}


def test_what_is_on_its_way_is_no_gap_yet(house: House) -> None:
    numbered(house, "ABC-0001", "ABC-0003", hours_ago=0)
    assert found(house) == {}


def test_many_are_counted_and_some_are_named(house: House) -> None:
    numbered(house, "ABC-0001", "ABC-0102")
    [details] = found(house).values()
    assert details == {"missing": list(range(2, 2 + MOST_TOLD)), "number": 100}


def test_numbers_of_another_kind_are_left_out(house: House) -> None:
    numbered(house, None, "2026/17", "A", "-1", "ABC-x")
    assert [row["prefix"] for row in house.sql("SELECT prefix FROM invoice_numbers")] == [""]


def test_a_gap_is_a_finding_of_the_check(house: House) -> None:
    numbered(house, "ABC-0001", "ABC-0003")
    with house.runtime.reading() as session:
        [finding] = of_others(session, None, MOST)
    assert (finding.kind, finding.subject_id, finding.details["missing"]) == ("invoice_number_gap", "ABC", [2])
