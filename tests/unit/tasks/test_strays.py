"""What a message may carry to be a hint: job ids and nothing else; whether there are such jobs, the claim finds out."""

from typing import Any

import pytest

from config.broker import STRAYS
from tasks.strays import MOST_IDS, job_ids_in


def counted() -> int:
    return STRAYS.count


def test_a_list_of_ids_is_a_hint() -> None:
    before = counted()
    assert job_ids_in([["job_1", "job_2"]], {}) == ["job_1", "job_2"]
    assert job_ids_in([["x"] * MOST_IDS], {}) == ["x"] * MOST_IDS
    assert counted() == before


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ([], {}),
        ([[]], {}),
        (["job_1"], {}),
        ([["job_1"], ["job_2"]], {}),
        ([["job_1"]], {"more": 1}),
        ([[7]], {}),
        ([[None]], {}),
        ([["job_1\0"]], {}),
        ([["job_\ud800"]], {}),
        ([["job_\n1"]], {}),
        ([["x"] * (MOST_IDS + 1)], {}),
    ],
    ids=["nothing", "no ids", "a text", "two", "a keyword", "a number", "null", "NUL", "half a pair", "a line", "many"],
)
def test_what_postgresql_could_not_look_for_and_all_else_is_counted_and_never_run(
    arguments: list[Any], keywords: dict[str, Any]
) -> None:
    before = counted()
    assert job_ids_in(arguments, keywords) is None
    assert counted() == before + 1
