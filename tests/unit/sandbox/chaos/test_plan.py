"""The plan of faults: decided by the seed, complete, and spread over its span."""

from __future__ import annotations

import random
from collections import Counter

from sandbox.chaos.fault_kinds import FROZEN, KILLED, every_kind
from sandbox.chaos.link_faults import KINDS
from sandbox.chaos.links import NAMES
from sandbox.chaos.orders import MIXED, make_orders
from sandbox.chaos.plan import plan


def drawn(seed: int) -> list[tuple[float, str, float]]:
    return [(each.at, each.kind.name, each.seconds) for each in plan(every_kind() * 2, random.Random(seed), 100.0)]


def test_the_same_seed_makes_the_same_plan_and_another_seed_another() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_the_same_seed_makes_the_same_orders() -> None:
    first, again = (make_orders(50, "T", random.Random(7), MIXED, impatient=True) for _ in range(2))
    assert first == again
    assert first != make_orders(50, "T", random.Random(8), MIXED, impatient=True)


def test_every_kind_comes_as_often_as_it_is_given() -> None:
    counts = Counter(name for _, name, _ in drawn(7))
    assert set(counts) == {kind.name for kind in every_kind()}
    assert set(counts.values()) == {2}


def test_faults_are_in_order_within_the_span_and_last_as_long_as_their_kind_says() -> None:
    kinds = {kind.name: kind for kind in every_kind()}
    times = [at for at, _, _ in drawn(7)]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < 100.0
    assert all(kinds[name].shortest <= seconds <= kinds[name].longest for _, name, seconds in drawn(7))


def test_every_process_server_and_link_has_its_faults() -> None:
    names = [kind.name for kind in every_kind()]
    assert len(names) == len(set(names)) == len(KILLED) + len(FROZEN) + 2 + len(NAMES) * len(KINDS)
