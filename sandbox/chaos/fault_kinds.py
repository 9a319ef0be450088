"""Every fault there is: what it does, to what, for how long, and whether the API can't answer meanwhile."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sandbox.chaos.availability import Outages
from sandbox.chaos.link_faults import KINDS, Kind, LinkFault
from sandbox.chaos.links import NAMES, WEB_REDIS, Links
from sandbox.system import WORKERS, System

KILLED: Final = ("web", "dispatcher", *WORKERS, "simulator")
FROZEN: Final = KILLED
BACK_SECONDS: Final = 30.0  # a killed process is back in 3 s on two free cores
# The simulator reads all of its ledger again: that of 20,000 payments holds 500 MB, and takes half a minute of a core.
SIMULATOR_BACK_SECONDS: Final = 180.0
POLL_SECONDS: Final = 0.05
HIT_SECONDS: Final = 5.0  # how long a link's fault may go on until something has passed to be spoilt
GATE_SECONDS: Final = 1.5  # the web process leaves Redis alone for 1 s after failures, then asks once
CUTTING: Final[frozenset[Kind]] = frozenset({"reset", "blackhole", "dropped_response", "half_close", "flapping"})
PARAMETERS: Final[Mapping[Kind, LinkFault]] = {
    **{kind: LinkFault(kind) for kind in KINDS},
    "latency": LinkFault("latency", seconds=0.2),  # well below every timeout: it slows, and must fail nothing
    "slow": LinkFault("slow", bytes_per_second=20_000),
    "flapping": LinkFault("flapping", seconds=0.4),
}


class Scene(Protocol):
    """What faults work on. `pause` waits, and returns early when the run is to end."""

    system: System
    links: Links
    outages: Outages
    stopping: threading.Event

    def pause(self, seconds: float) -> bool:
        """Wait that long; False if the run ends."""

    def now(self) -> float:
        """Monotonic seconds."""

    def set_simulator_up(self) -> None:
        """Tell a simulator that was started anew how to deliver webhooks and which calls to spoil."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind of fault.

    Args:
        name: as in the report.
        target: what it needs for itself; faults of one target wait for each other.
        shortest, longest: for how many seconds.
        do: does it for that many seconds, undoes it, and tells whether anything was spoilt.
    """

    name: str
    target: str
    shortest: float
    longest: float
    do: Callable[[Scene, float], bool]


def kill(name: str) -> FaultKind:
    """SIGKILL a process and all below it; done when it is back."""

    def do(scene: Scene, _seconds: float) -> bool:
        started = scene.now()
        hit = _wait_until(scene, lambda: bool(scene.system.supervisor.pids(name)))
        scene.system.supervisor.kill(name)
        _wait_until(scene, lambda: bool(scene.system.supervisor.pids(name)))
        _after_start(scene, name)
        if name == "web":
            scene.outages.note(started, scene.now())
        return hit

    return FaultKind(f"kill {name}", name, 0.0, 0.0, do)


def freeze(name: str) -> FaultKind:
    """SIGSTOP a process and all below it for a while."""

    def do(scene: Scene, seconds: float) -> bool:
        started = scene.now()
        hit = bool(scene.system.supervisor.pids(name))
        scene.system.supervisor.freeze(name)
        try:
            scene.pause(seconds)
        finally:
            scene.system.supervisor.thaw(name)
        if name == "web":
            _wait_until(scene, lambda: _is_live(scene))
            scene.outages.note(started, scene.now())
        return hit

    return FaultKind(f"freeze {name}", name, 1.0, 6.0, do)


def kill_redis(shortest: float, longest: float, name: str = "kill redis") -> FaultKind:
    """SIGKILL Redis and start it again on what it has written."""

    def do(scene: Scene, seconds: float) -> bool:
        started = scene.now()
        hit = scene.system.valkey.running
        scene.system.valkey.kill9()
        try:
            scene.pause(seconds)
        finally:
            scene.system.valkey.start()
            scene.outages.note(started, scene.now() + GATE_SECONDS)
        return hit

    return FaultKind(name, "redis", shortest, longest, do)


def stop_postgres(shortest: float, longest: float, name: str = "stop postgres immediately") -> FaultKind:
    """PostgreSQL's immediate stop, which is a crash, and a start that recovers."""

    def do(scene: Scene, seconds: float) -> bool:
        hit = scene.system.postgres.running
        scene.system.postgres.stop_immediately()
        try:
            scene.pause(seconds)
        finally:
            scene.system.postgres.start()
        return hit

    return FaultKind(name, "postgres", shortest, longest, do)


def spoil(link_name: str, kind: Kind) -> FaultKind:
    """Spoil a link for a while, and until something was spoilt."""

    def do(scene: Scene, seconds: float) -> bool:
        link = scene.links.by_name[link_name]
        started = scene.now()
        link.spoil(PARAMETERS[kind])
        try:
            scene.pause(seconds)
            _wait_until(scene, lambda: link.hits > 0, HIT_SECONDS)
            return link.hits > 0
        finally:
            link.mend()
            if link_name == WEB_REDIS and kind in CUTTING:
                scene.outages.note(started, scene.now() + GATE_SECONDS)

    return FaultKind(f"{link_name}: {kind}", f"link {link_name}", 0.7, 2.5, do)


def every_kind() -> list[FaultKind]:
    """Return all faults of processes, servers and links."""
    return [
        *(kill(name) for name in KILLED),
        *(freeze(name) for name in FROZEN),
        kill_redis(0.5, 2.0),
        stop_postgres(0.5, 2.0),
        *(spoil(link, kind) for link in NAMES for kind in KINDS),
    ]


def _after_start(scene: Scene, name: str) -> None:
    if name == "web":
        _wait_until(scene, lambda: _is_live(scene))
    elif name == "simulator":
        _wait_until(scene, lambda: _simulator_answers(scene), SIMULATOR_BACK_SECONDS)
        scene.set_simulator_up()


def _is_live(scene: Scene) -> bool:
    try:
        return scene.system.api.ask("GET", "/health/live").status == http.client.OK
    except (OSError, ValueError):
        return False


def _simulator_answers(scene: Scene) -> bool:
    try:
        scene.system.simulator.deliveries()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


def _wait_until(scene: Scene, there: Callable[[], bool], within: float = BACK_SECONDS) -> bool:
    deadline = scene.now() + within
    while not there():
        if scene.now() >= deadline or not scene.pause(POLL_SECONDS):
            return False
    return True
