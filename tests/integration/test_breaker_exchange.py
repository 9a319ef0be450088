"""What processes make of a circuit together, exchange by exchange, over a real Redis; without any thread."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from redis.exceptions import RedisError

from config.errors import BreakerOpenError, StripeUnavailableError
from config.failpoints import Failpoint, arm
from config.keyspace import Keyspace
from tasks.contracts.steps import Step, arm_failpoints
from tests.unit.workers.resilience.test_breaker import FAILURES, RESET, Clock, call, fail
from workers.resilience.breaker import Breaker
from workers.resilience.link import BreakerLink, shared_state

pytestmark = pytest.mark.servers


class Processes:
    """Several processes' breakers, which share one clock for their own time; Redis has its own."""

    def __init__(self, url: str, prefix: str) -> None:
        self.clock = Clock()
        self.key = Keyspace(prefix).breaker("stripe")
        self.redis = redis.Redis.from_url(url)
        self._url = url
        self._links: dict[Breaker, BreakerLink] = {}

    def start(self) -> Breaker:
        breaker = Breaker("stripe", failures=FAILURES, reset=RESET, clock=self.clock)
        client = redis.Redis.from_url(self._url)
        self._links[breaker] = BreakerLink(breaker, client, self.key, clock=self.clock)
        self.exchange(breaker)
        return breaker

    def exchange(self, *breakers: Breaker) -> None:
        for breaker in breakers:
            self._links[breaker].exchange()

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the processes, and for Redis since the last change."""
        self.clock.now += seconds
        self.redis.hincrby(self.key, "since", -round(seconds * 1000))

    def fields(self) -> dict[bytes, bytes]:
        found: Any = self.redis.hgetall(self.key)
        return dict(found)

    def close(self) -> None:
        for link in self._links.values():
            link.close()
        self.redis.close()


@pytest.fixture
def processes(redis_url: str, redis_prefix: str) -> Iterator[Processes]:
    made = Processes(redis_url, redis_prefix)
    yield made
    made.close()


def may_probe(breaker: Breaker) -> bool:
    """Tell whether a call would pass; a probe that it makes ends for reasons of our own, and proves nothing."""
    try:
        call(breaker, KeyError())
    except BreakerOpenError:
        return False
    return True


def opened(processes: Processes, count: int) -> list[Breaker]:
    """Return breakers that are all open, with their callers waiting, when a probe is due."""
    made = [processes.start() for _ in range(count)]
    made[0].go_alone()
    fail(made[0], FAILURES)
    processes.exchange(*made)
    assert {breaker.state for breaker in made} == {"open"}
    assert not any(may_probe(breaker) for breaker in made)
    processes.pass_time(RESET)
    return made


def test_two_processes_that_each_see_nine_failures_are_open(processes: Processes) -> None:
    first, second = processes.start(), processes.start()
    for _ in range(9):
        for breaker in (first, second):
            if breaker.state == "closed":
                fail(breaker)
                processes.exchange(breaker)
    processes.exchange(first, second)
    assert (first.state, second.state) == ("open", "open")


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
def test_however_rarely_they_exchange_all_open_within_twenty_failures(processes: Processes, count: int) -> None:
    made = [processes.start() for _ in range(count)]
    processes.exchange(*made)
    failures = 0
    for _ in range(30):
        for breaker in made:
            for _ in range(FAILURES):  # as many as it lets pass before the next exchange
                try:
                    call(breaker, StripeUnavailableError())
                except BreakerOpenError:
                    break
                failures += 1
        processes.exchange(*made)
    assert {breaker.state for breaker in made} == {"open"}
    assert FAILURES <= failures <= 2 * FAILURES


def test_a_process_that_starts_while_it_is_open_learns_so_at_once(processes: Processes) -> None:
    opened(processes, 1)
    assert processes.start().state != "closed"
    assert shared_state(processes.redis, processes.key) == "open"


def test_only_one_of_them_has_the_right_to_probe(processes: Processes) -> None:
    made = opened(processes, 3)
    processes.exchange(*made)
    with made[0].calling():
        for _ in range(3):
            processes.exchange(*made)
            assert [may_probe(breaker) for breaker in made] == [False, False, False]
    processes.exchange(*made)
    assert {breaker.state for breaker in made} == {"closed"}
    assert shared_state(processes.redis, processes.key) == "closed"


def test_a_probe_that_fails_keeps_all_of_them_open(processes: Processes) -> None:
    made = opened(processes, 2)
    processes.exchange(*made)
    fail(made[0])
    processes.exchange(*made)
    assert {breaker.state for breaker in made} == {"open"}


def test_a_right_whose_process_is_not_heard_of_any_more_goes_to_another(processes: Processes) -> None:
    killed, other = opened(processes, 2)
    processes.exchange(killed, other)
    with killed.calling():
        assert not may_probe(other)
        processes.redis.hset(processes.key, "until", 1)  # its time is over: nobody has renewed it
        processes.exchange(other)
        call(other)
        processes.exchange(other)
    assert (other.state, shared_state(processes.redis, processes.key)) == ("closed", "closed")


def test_a_right_given_back_unused_by_a_probe_of_no_proof_goes_to_another_at_once(processes: Processes) -> None:
    first, second = opened(processes, 2)
    processes.exchange(first, second)
    assert may_probe(first)
    processes.exchange(first)
    assert not may_probe(second)
    processes.exchange(second)
    assert may_probe(second)


def test_redis_having_forgotten_everything_is_told_again(processes: Processes) -> None:
    made = opened(processes, 3)
    newcomer = processes.start()
    processes.redis.delete(processes.key)
    late = Breaker("stripe", failures=FAILURES, reset=RESET, clock=processes.clock)
    processes._links[late] = BreakerLink(late, redis.Redis.from_url(processes._url), processes.key)
    processes.exchange(late)  # the first that Redis hears of is one that knows nothing
    assert shared_state(processes.redis, processes.key) == "closed"
    processes.exchange(newcomer, *made, late)
    assert shared_state(processes.redis, processes.key) == "open"
    assert "closed" not in {breaker.state for breaker in [*made, newcomer, late]}


def test_failures_that_redis_has_forgotten_are_told_again(processes: Processes) -> None:
    first, second = processes.start(), processes.start()
    for _ in range(5):
        fail(first)
        processes.exchange(first)
    processes.redis.delete(processes.key)
    for _ in range(4):
        fail(second)
        processes.exchange(second)
    processes.exchange(first)
    fail(second)
    processes.exchange(second)
    assert second.state == "open"


def test_a_change_seen_while_redis_was_away_is_told_when_it_is_back(processes: Processes) -> None:
    first, second = opened(processes, 2)
    first.go_alone()
    call(first)
    processes.exchange(first, second)
    assert (first.state, second.state) == ("closed", "closed")


def test_of_two_changes_made_at_once_the_opening_holds(processes: Processes) -> None:
    first, second = opened(processes, 2)
    for breaker in (first, second):
        breaker.go_alone()
    call(first)
    fail(second)
    processes.exchange(first, second, first)
    assert (first.state, second.state) == ("open", "open")


def test_what_dead_processes_saw_counts_and_is_forgotten_in_time(processes: Processes) -> None:
    dead = processes.start()
    for _ in range(FAILURES - 1):
        fail(dead)
        processes.exchange(dead)
    heir = processes.start()
    [name] = [name for name, value in processes.fields().items() if value.split()[1:2] == [b"9"]]
    turn, failures, at = processes.fields()[name].split()
    processes.redis.hset(processes.key, name, b" ".join([turn, failures, b"%d" % (int(at) - 121_000)]))  # type: ignore[arg-type]  # bytes are taken, too
    processes.exchange(heir)
    assert name not in processes.fields()
    fail(heir)
    assert heir.state == "closed"


@pytest.mark.parametrize(
    "garbage",
    [{"turn": "x", "state": "open"}, {"turn": "3", "state": "ajar", "since": "1"}, {"m:x": "no numbers"}],
    ids=["no turn", "no state", "no member"],
)
def test_garbage_is_written_over(processes: Processes, garbage: dict[str, str]) -> None:
    processes.redis.hset(processes.key, mapping=garbage)
    assert processes.start().state == "closed"
    assert shared_state(processes.redis, processes.key) == "closed"
    assert b"m:x" not in processes.fields()


def test_a_link_outlives_whatever_one_exchange_meets(processes: Processes) -> None:
    breaker = processes.start()
    link = processes._links[breaker]
    arm_failpoints([Failpoint(Step.SHARE_BREAKER.before, "raise")])
    try:
        assert not link._exchanged()
    finally:
        arm([], [])
    assert link._exchanged()


def test_a_key_of_another_kind_leaves_every_process_alone(processes: Processes) -> None:
    processes.redis.set(processes.key, "not a hash")
    with pytest.raises(RedisError):
        processes.start()
