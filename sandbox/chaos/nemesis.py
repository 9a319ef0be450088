"""The nemesis: carries out a plan of faults against the running system, and undoes each."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from sandbox.chaos.fault_kinds import Scene
from sandbox.chaos.plan import Planned

LANES: Final = 3  # faults at the same time, at most
NOTES_KEPT: Final = 6
LOOK_SECONDS: Final = 1.0  # between two looks whether a fault was put off


@dataclass(slots=True)
class Toll:
    """What the nemesis has done so far; read by the live view from another thread."""

    fired: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    active: dict[int, str] = field(default_factory=dict)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_KEPT))
    problems: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def carry_out(scene: Scene, planned: Sequence[Planned], toll: Toll, held: Callable[[], float] = lambda: 0.0) -> None:
    """Carry out a plan; returns when every fault is over and undone.

    Args:
        scene: of the faults.
        planned: the plan.
        toll: notes what was done.
        held: seconds by which the load was held back so far: faults keep their places in it.
    """
    targets: dict[str, threading.Lock] = defaultdict(threading.Lock)
    locks = {each.kind.target: targets[each.kind.target] for each in planned}
    started = scene.now()
    with ThreadPoolExecutor(LANES, thread_name_prefix="nemesis") as lanes:
        try:
            for number, each in enumerate(sorted(planned, key=lambda one: one.at)):
                if not _wait_for(scene, started + each.at, held):
                    return
                lanes.submit(_strike, scene, number, each, toll, locks[each.kind.target])
        except BaseException:  # Ctrl-C: the faults under way end at once, and are undone
            scene.stopping.set()
            raise


def _wait_for(scene: Scene, moment: float, held: Callable[[], float]) -> bool:
    """Wait for a moment that may be put off meanwhile; False if the run ends before."""
    while (left := moment + held() - scene.now()) > 0:
        if not scene.pause(min(left, LOOK_SECONDS)):
            return False
    return scene.pause(0)


def _strike(scene: Scene, number: int, planned: Planned, toll: Toll, target: threading.Lock) -> None:
    name = planned.kind.name
    with target:
        if not scene.pause(0):
            return
        with toll.lock:
            toll.active[number] = name
        try:
            hit = planned.kind.do(scene, planned.seconds)
        except Exception as error:  # noqa: BLE001 - a fault that can't be carried out or undone fails the run
            with toll.lock:
                toll.problems.append(f"{name}: {type(error).__name__}: {error}")
            return
        finally:
            with toll.lock:
                toll.active.pop(number, None)
        with toll.lock:
            (toll.fired if hit else toll.missed)[name] += 1
            toll.notes.append(f"{name}{'' if hit else ' (hit nothing)'}")
