"""The nemesis: carries out its plan, never spoils one thing in two ways at once, and undoes what it did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sandbox.chaos.fault_kinds import FaultKind
from sandbox.chaos.nemesis import Toll, carry_out
from sandbox.chaos.plan import Planned


class Scene:
    """As much of a stage as faults without a system need."""

    system: Any = None
    links: Any = None
    outages: Any = None

    def __init__(self) -> None:
        self.stopping = threading.Event()

    def pause(self, seconds: float) -> bool:
        return not self.stopping.wait(seconds)

    def now(self) -> float:
        return time.monotonic()

    def set_simulator_up(self) -> None:
        raise AssertionError("no simulator here")


def fault(name: str, target: str, do: Callable[[Any, float], bool]) -> FaultKind:
    return FaultKind(name, target, 0.0, 0.0, do)


def test_every_fault_is_counted_by_whether_it_hit() -> None:
    toll = Toll()
    kinds = [fault("hits", "a", lambda *_: True), fault("misses", "b", lambda *_: False)]
    carry_out(Scene(), [Planned(0.0, kind, 0.0) for kind in kinds for _ in range(2)], toll)
    assert dict(toll.fired) == {"hits": 2}
    assert dict(toll.missed) == {"misses": 2}
    assert toll.active == {}


def test_faults_are_put_off_with_the_load_that_they_belong_to() -> None:
    class Clock(Scene):
        seconds = 0.0

        def pause(self, seconds: float) -> bool:
            self.seconds += seconds
            return super().pause(0)

        def now(self) -> float:
            return self.seconds

    scene, struck = Clock(), list[float]()

    def do(*_: Any) -> bool:
        struck.append(scene.now())
        return True

    carry_out(scene, [Planned(5.0, fault("kill", "a", do), 0.0)], Toll(), lambda: min(scene.now(), 7.0))
    assert struck == [12.0]


def test_faults_of_one_target_wait_for_each_other() -> None:
    under_way: list[str] = []
    overlaps: list[str] = []

    def do(scene: Any, seconds: float) -> bool:
        overlaps.extend(under_way)
        under_way.append("redis")
        scene.pause(seconds)
        under_way.remove("redis")
        return True

    toll = Toll()
    carry_out(Scene(), [Planned(0.0, fault("kill", "redis", do), 0.05) for _ in range(4)], toll)
    assert toll.fired["kill"] == 4
    assert overlaps == []


def test_faults_of_different_targets_overlap() -> None:
    both = threading.Barrier(2, timeout=10)

    def do(*_: Any) -> bool:
        both.wait()
        return True

    toll = Toll()
    carry_out(Scene(), [Planned(0.0, fault(name, name, do), 0.0) for name in ("a", "b")], toll)
    assert toll.problems == []


def test_a_fault_comes_when_it_is_due() -> None:
    began: list[float] = []

    def do(scene: Any, _seconds: float) -> bool:
        began.append(scene.now())
        return True

    asked = time.monotonic()
    carry_out(Scene(), [Planned(0.2, fault("late", "a", do), 0.0)], Toll())
    assert began[0] - asked >= 0.2


def test_a_fault_that_cannot_be_undone_is_a_problem() -> None:
    def do(*_: Any) -> bool:
        raise OSError("the server does not come back")

    toll = Toll()
    carry_out(Scene(), [Planned(0.0, fault("kill redis", "redis", do), 0.0)], toll)
    assert toll.problems == ["kill redis: OSError: the server does not come back"]
    assert toll.active == {}


def test_at_the_end_of_a_run_faults_under_way_are_undone_and_no_more_begin() -> None:
    scene, toll = Scene(), Toll()
    undone = threading.Event()

    def do(around: Any, seconds: float) -> bool:
        scene.stopping.set()
        around.pause(seconds)
        undone.set()
        return True

    carry_out(
        scene, [Planned(0.0, fault("freeze", "web", do), 60.0), Planned(60.0, fault("never", "x", do), 0.0)], toll
    )
    assert undone.is_set()
    assert dict(toll.fired) == {"freeze": 1}
