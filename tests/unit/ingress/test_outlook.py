from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import NoPermissionError, NoScriptError

from config.errors import RedisAwayError
from config.keyspace import Keyspace
from ingress.outlook import DURABLE_SECONDS, HEADER, KNOWN_SECONDS, LOOK_SECONDS, Outlook
from ingress.problems import ProblemError
from ingress.redis_gate import NotSentError
from tasks.contracts.pulse import Pulse

WORD, MARK = b"1", b"a dispatcher found it durable"  # what a dispatcher leaves, and what its script returns


class Gate:
    """Answers what the test says; None: Redis is away."""

    def __init__(self, *replies: Any) -> None:
        self.replies: tuple[Any, ...] | None = replies
        self.asked = 0

    def ask(self, *commands: tuple[Any, ...]) -> list[Any]:
        self.asked += 1
        if self.replies is None:
            raise NotSentError
        assert len(commands) == len(self.replies)
        return list(self.replies)


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def outlook(gate: Gate, clock: Clock, *, live: bool = False) -> Outlook:
    return Outlook(gate, Keyspace("t:"), live=live, monotonic=clock)  # type: ignore[arg-type]  # stands in for a gate


def pulse(database: Any = "up", stripe: Any = "up") -> bytes:
    return Pulse(1, database, stripe).to_bytes()


def test_its_questions_go_along_at_most_once_a_second(clock: Clock) -> None:
    looking = outlook(Gate(pulse()), clock)
    assert looking.questions() == (("GET", "t:pulse:dispatcher"),)
    assert looking.questions() == ()
    clock.now += LOOK_SECONDS
    assert len(looking.questions()) == 1


def test_a_look_of_its_own_is_taken_at_most_once_a_second(clock: Clock) -> None:
    gate = Gate(pulse())
    looking = outlook(gate, clock)
    for _ in range(5):
        looking.look()
    assert gate.asked == 1


@pytest.mark.parametrize(
    ("reply", "parts", "delayed"),
    [
        (pulse(), ("up", "up", "up"), None),
        (pulse("away", "up"), ("up", "away", "up"), "database"),
        (pulse("up", "away"), ("up", "up", "away"), "stripe"),
        (pulse("away", "away"), ("up", "away", "away"), "database"),
        (pulse("unknown", "unknown"), ("up", "unknown", "unknown"), None),
        (None, ("away", "unknown", "unknown"), "dispatcher"),
        (b"garbage", ("away", "unknown", "unknown"), "dispatcher"),
        (NoPermissionError(), ("away", "unknown", "unknown"), "dispatcher"),
    ],
)
def test_the_pulse_tells_how_each_part_is(
    clock: Clock, reply: Any, parts: tuple[str, ...], delayed: str | None
) -> None:
    looking = outlook(Gate(reply), clock)
    looking.look()
    assert tuple(looking.parts().values()) == parts
    assert looking.delays() == ({} if delayed is None else {HEADER: delayed})


def test_nothing_is_known_at_first_and_nothing_after_a_while_without_an_answer(clock: Clock) -> None:
    gate = Gate(None)
    looking = outlook(gate, clock)
    assert set(looking.parts().values()) == {"unknown"}
    looking.look()
    gate.replies = None
    clock.now += KNOWN_SECONDS
    looking.look()
    assert set(looking.parts().values()) == {"unknown"}
    assert looking.delays() == {}


def test_elsewhere_than_live_nobody_needs_to_vouch(clock: Clock) -> None:
    gate = Gate(None)
    outlook(gate, clock).require_durable()
    assert gate.asked == 0


def test_a_run_that_was_vouched_for_is_taken_and_asked_about_again_only_when_time_has_passed(clock: Clock) -> None:
    gate = Gate(pulse(), WORD, MARK)
    looking = outlook(gate, clock, live=True)
    for _ in range(3):
        looking.require_durable()
    assert gate.asked == 1
    clock.now += DURABLE_SECONDS
    looking.require_durable()
    assert gate.asked == 2


def test_what_goes_along_with_acceptances_keeps_it_fresh(clock: Clock) -> None:
    gate = Gate(pulse(), WORD, MARK)
    looking = outlook(gate, clock, live=True)
    looking.require_durable()
    for _ in range(5):
        clock.now += LOOK_SECONDS
        looking.hear(gate.ask(*looking.questions()))
        looking.require_durable()
    assert gate.asked == 6


@pytest.mark.parametrize(
    ("word", "mark"),
    [
        (None, MARK),
        (WORD, NoScriptError()),
        (None, NoScriptError()),
        (NoPermissionError(), MARK),
        (WORD, NoPermissionError()),
    ],
    ids=["no word", "another run", "neither", "word refused", "mark refused"],
)
def test_any_other_redis_is_refused(clock: Clock, word: Any, mark: Any) -> None:
    looking = outlook(Gate(pulse(), word, mark), clock, live=True)
    with pytest.raises(ProblemError) as refused:
        looking.require_durable()
    assert (refused.value.kind.code, refused.value.headers) == ("redis_unproven", {"Retry-After": "1"})


def test_a_word_taken_back_counts_from_the_next_look(clock: Clock) -> None:
    gate = Gate(pulse(), WORD, MARK)
    looking = outlook(gate, clock, live=True)
    looking.require_durable()
    gate.replies = (pulse(), None, MARK)
    clock.now += LOOK_SECONDS
    looking.hear(gate.ask(*looking.questions()))
    with pytest.raises(ProblemError):
        looking.require_durable()


def test_after_a_failure_it_is_asked_about_anew(clock: Clock) -> None:
    gate = Gate(pulse(), WORD, MARK)
    looking = outlook(gate, clock, live=True)
    looking.require_durable()
    looking.doubt()
    gate.replies = None
    with pytest.raises(RedisAwayError):
        looking.require_durable()
