"""The load: lives begin when they are due, go on by their own pauses, and failures belong to their orders."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from sandbox.chaos.load import Load
from sandbox.chaos.orders import ALL_PAY, Order, make_orders
from tests.polling import wait_until


@pytest.fixture
def load() -> Iterator[Load]:
    made = Load(threads=4)
    yield made
    made.stop()


def orders(count: int) -> list[Order]:
    return make_orders(count, "T", random.Random(0), ALL_PAY)


def test_every_life_is_lived_to_its_end(load: Load) -> None:
    steps: list[int] = []

    def life(order: Order) -> Iterator[float]:
        for _ in range(3):
            steps.append(order.number)
            yield 0.001

    load.start((0.0, order, life(order)) for order in orders(20))
    assert load.wait_until_ended(10)
    assert sorted(steps) == sorted(list(range(20)) * 3)
    assert (load.begun, load.ended, load.in_flight) == (20, 20, 0)


def test_lives_begin_though_others_hang(load: Load) -> None:
    release = threading.Event()

    def life(order: Order) -> Iterator[float]:
        if order.number < 3:
            release.wait(10)
        yield 0.0

    load.start((0.05 * order.number, order, life(order)) for order in orders(8))
    try:
        assert load.wait_until_begun(5)
        assert load.in_flight >= 3
    finally:
        release.set()
    assert load.wait_until_ended(5)


def test_beyond_its_limit_beginnings_are_held_back_and_all_after_them_as_long() -> None:
    release = threading.Event()
    load = Load(threads=4, limit=3)

    def life(order: Order) -> Iterator[float]:
        if order.number < 3:
            release.wait(10)
        yield 0.0

    load.start((0.0, order, life(order)) for order in orders(8))
    try:
        wait_until(lambda: load.held > 0.3, "beginnings are held back")
        assert (load.begun, load.in_flight) == (3, 3)
        release.set()
        assert load.wait_until_ended(5)
        assert load.begun == 8
    finally:
        release.set()
        load.stop()


def test_a_life_begins_when_it_is_due(load: Load) -> None:
    begun: list[float] = []

    def life() -> Iterator[float]:
        begun.append(time.monotonic())
        yield 0.0

    (order,) = orders(1)
    order.posted_at = 0.0  # posted before its life began, as one whose key is posted many times
    asked = time.monotonic()
    load.start([(0.2, order, life())])
    assert load.wait_until_ended(5)
    assert begun[0] - asked >= 0.2
    assert load.begun == 1


def test_whatever_goes_wrong_in_a_life_is_told_on_its_order(load: Load) -> None:
    def life() -> Iterator[float]:
        yield 0.0
        raise KeyError("secret")

    (order,) = orders(1)
    load.start([(0.0, order, life())])
    assert load.wait_until_ended(5)
    assert order.problem == "KeyError: 'secret'"


def test_a_stopped_load_takes_no_further_step(load: Load) -> None:
    def life() -> Iterator[float]:
        while True:
            yield 0.01

    (order,) = orders(1)
    load.start([(0.0, order, life())])
    assert load.wait_until_begun(5)
    load.stop()
    assert load.in_flight == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("load-")]
