"""The gate to Redis: closed for a second after failures in a row, opened again by one probe."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from ingress.redis_gate import FAILURES_TO_OPEN, OPEN_SECONDS, AnswerLostError, NotSentError, RedisGate


class Connection:
    """A connection that answers, or fails, as its pool says."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    def pack_commands(self, commands: Any) -> Any:
        return commands

    def send_packed_command(self, _packed: Any) -> None:
        self.pool.sent += 1

    def read_response(self) -> Any:
        if isinstance(self.pool.answer, Exception):
            raise self.pool.answer
        return self.pool.answer

    def disconnect(self) -> None:
        self.pool.disconnected += 1


class Pool:
    def __init__(self) -> None:
        self.answer: Any = b"PONG"
        self.refuses = False
        self.sent = self.asked = self.released = self.disconnected = 0

    def get_connection(self) -> Connection:
        self.asked += 1
        if self.refuses:
            raise redis.ConnectionError("refused")
        return Connection(self)

    def release(self, _connection: Connection) -> None:
        self.released += 1


class World:
    def __init__(self) -> None:
        self.now = 100.0
        self.pool = Pool()
        self.gate = RedisGate(self.pool, lambda: self.now)  # type: ignore[arg-type]  # as much of a pool as the gate uses

    def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises((NotSentError, AnswerLostError)):
                self.gate.ask_one("PING")


@pytest.fixture
def world() -> World:
    return World()


def test_a_refused_connection_means_that_nothing_was_sent(world: World) -> None:
    world.pool.refuses = True
    with pytest.raises(NotSentError):
        world.gate.ask_one("PING")
    assert world.pool.sent == 0


def test_a_lost_answer_means_that_it_may_have_taken_effect(world: World) -> None:
    world.pool.answer = redis.TimeoutError("slow")
    with pytest.raises(AnswerLostError):
        world.gate.ask_one("PING")
    assert (world.pool.sent, world.pool.released, world.pool.disconnected) == (1, 1, 1)


def test_a_loading_server_did_nothing(world: World) -> None:
    world.pool.answer = redis.BusyLoadingError("LOADING")
    with pytest.raises(NotSentError):
        world.gate.ask_one("PING")


def test_an_error_reply_is_an_answer(world: World) -> None:
    world.pool.answer = redis.ResponseError("no")
    for _ in range(2 * FAILURES_TO_OPEN):
        with pytest.raises(redis.ResponseError):
            world.gate.ask_one("PING")
    assert world.pool.released == world.pool.asked
    assert isinstance(world.gate.ask(("PING",), ("PING",))[1], redis.ResponseError)


def test_failures_in_a_row_close_the_gate_for_a_second(world: World) -> None:
    world.pool.refuses = True
    world.fail(FAILURES_TO_OPEN)
    asked = world.pool.asked
    world.fail(5)
    assert world.pool.asked == asked
    world.now += OPEN_SECONDS
    world.fail(5)
    assert world.pool.asked == asked + 1, "one probe, whose failure closes it again"


def test_a_success_between_failures_keeps_it_open(world: World) -> None:
    for _ in range(3):
        world.pool.refuses = True
        world.fail(FAILURES_TO_OPEN - 1)
        world.pool.refuses = False
        assert world.gate.ask_one("PING") == b"PONG"


def test_a_probe_that_succeeds_opens_it(world: World) -> None:
    world.pool.refuses = True
    world.fail(FAILURES_TO_OPEN)
    world.pool.refuses = False
    world.now += OPEN_SECONDS
    for _ in range(3):
        assert world.gate.ask_one("PING") == b"PONG"


def test_only_one_probe_runs_at_a_time(world: World) -> None:
    world.pool.refuses = True
    world.fail(FAILURES_TO_OPEN)
    world.now += OPEN_SECONDS
    world.pool.refuses = False
    seen = []

    def probe() -> bytes:
        with pytest.raises(NotSentError):
            world.gate.ask_one("PING")
        seen.append(True)
        return b"PONG"

    connection = Connection(world.pool)
    connection.read_response = probe  # type: ignore[method-assign]  # while the probe runs, another command comes
    world.pool.get_connection = lambda: connection  # type: ignore[method-assign]  # see above
    assert world.gate.ask_one("PING") == b"PONG"
    assert seen == [True]


def test_an_interrupted_command_gives_its_connection_back(world: World) -> None:
    world.pool.answer = KeyboardInterrupt()

    def interrupt(_self: Any = None) -> None:
        raise KeyboardInterrupt

    connection = Connection(world.pool)
    connection.read_response = interrupt  # type: ignore[method-assign]  # what Ctrl-C does
    world.pool.get_connection = lambda: connection  # type: ignore[method-assign]  # see above
    with pytest.raises(KeyboardInterrupt):
        world.gate.ask_one("PING")
    assert world.pool.released == 1
