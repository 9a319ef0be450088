"""Coming to rest: the trouble ends, the sleepers wake, and the dispatcher and the workers do what is left to do."""

from __future__ import annotations

from config.resolver import GIVE_UP_LOOKING
from tests.model import operators
from tests.model.processes import SLOTS
from tests.model.sight import Sight
from tests.model.world import World
from workers.jobs.outcome import FINAL_STATES

MOST_ROUNDS = 60
PATIENT_ROUNDS = (25, 40)  # then everything is left alone until it is too old, and until nobody looks any more
TOO_OLD_SECONDS = 73 * 3600.0  # above the maximum age of every kind
GIVEN_UP_SECONDS = GIVE_UP_LOOKING + 3600.0
VIEW_SECONDS = 1.1  # a dispatcher repairs views that are a second behind


def come_to_rest(world: World) -> Sight:
    """Let everything end that can, and return what is there then."""
    world.broker.away = False
    operators.let_go_on(world.runtime)
    for slot in SLOTS:
        while not world.processes.is_idle(slot):
            world.processes.advance(slot)
    sight = world.look()
    for name in ("epoch", "waiting entries"):
        world.processes.chore("d0 upkeep", name)()
    for turn in range(MOST_ROUNDS):
        _round(world)
        sight = world.look()
        if _rests(world, sight):
            return sight
        long = dict(zip(PATIENT_ROUNDS, (TOO_OLD_SECONDS, GIVEN_UP_SECONDS), strict=True))
        world.jump(long.get(turn) or _pause(world, sight))
    return sight


def _round(world: World) -> None:
    for name in ("rescue", "publish", "republish", "views"):
        world.processes.chore("d0 upkeep", name)()
    reader = world.processes.readers["d0"]
    for take in (reader.take_left, reader.take_new):
        for _ in range(MOST_ROUNDS):
            if not take():
                break
    while world.broker.bag:
        world.processes.work("w0", world.broker.bag.pop(0))()


def _rests(world: World, sight: Sight) -> bool:
    over = all(job["state"] in FINAL_STATES for job in sight.jobs.values())
    shown = all(row["projected_version"] >= row["version"] for row in [*sight.jobs.values(), *sight.payments.values()])
    return over and shown and not world.memory.outstanding()


def _pause(world: World, sight: Sight) -> float:
    """Return the seconds until something is due."""
    grace = world.settings.jobs.republish_grace
    instants = [
        instant
        for job in sight.jobs.values()
        if job["state"] not in FINAL_STATES
        for instant in (
            job["lease_until"],
            job["next_run_at"],
            None if job["published_at"] is None else job["published_at"] + grace,
        )
        if instant is not None and instant > sight.now
    ]
    return max(VIEW_SECONDS, min(instants, default=sight.now) - sight.now + VIEW_SECONDS)
