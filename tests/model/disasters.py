"""What befalls the processes from outside: requests, events, operators, the clock, and disasters.

Each move takes two small numbers, which choose among what there is, and may return words that tell it more exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.model import operators
from tests.model.focus import Focus
from tests.model.processes import WORKERS
from tests.model.sight import Sight
from tests.model.world import World
from workers.jobs.outcome import FINAL_STATES

TOO_OLD_SECONDS = 6 * 3600.0  # a payment's maximum age
NEXT_DAY_SECONDS = 25 * 3600.0  # Stripe has forgotten the keys, Redis the idempotency records
COPY_SECONDS = 24 * 3600.0  # the journal is kept as long after intake: no older copy can be restored without loss
SELDOM = 3  # of so many long jumps one is made: most jobs that are left alone for so long are dead
PLAIN = 5  # of twelve numbers so many post the first of the bodies

Stage = tuple[World, Sight, Focus]
Move = Callable[[Stage, int, int], str | None]


def live_jobs(sight: Sight) -> list[str]:
    """Return the jobs that are not over."""
    return sorted(name for name, job in sight.jobs.items() if job["state"] not in FINAL_STATES)


def dead_jobs(sight: Sight) -> list[str]:
    """Return the dead letters."""
    return sorted(name for name, job in sight.jobs.items() if job["state"] == "dead")


def _post(stage: Stage, n: int, other: int) -> str:
    world, _, focus = stage
    number, variant = n % focus.payments, max(0, other - PLAIN) % focus.variants
    world.requests.post(number, variant)
    return f"key {number}, body {variant}"


def _post_into_a_broken_journal(stage: Stage, n: int, _: int) -> None:
    world, _, focus = stage
    with world.memory.broken_journal():
        world.requests.post(n % focus.payments, 0)


def _pay(stage: Stage, n: int, _: int) -> None:
    stripe = stage[0].stripe
    intents = sorted(stripe.intents)
    stripe.pay(intents[n % len(intents)])


def _webhook(stage: Stage, n: int, _: int) -> None:
    events = stage[0].stripe.events
    stage[0].requests.deliver_event(events[-1 - n % len(events)])


def _kill(stage: Stage, n: int, _: int) -> str:
    processes = stage[0].processes
    slot = processes.at_work(n)
    processes.kill(slot)
    return slot


def _freeze(stage: Stage, n: int, _: int) -> str:
    processes = stage[0].processes
    slot = processes.at_work(n, processes.awake())
    processes.frozen.add(slot)
    return slot


def _wake(stage: Stage, n: int, _: int) -> str:
    frozen = stage[0].processes.frozen
    slot = sorted(frozen)[n % len(frozen)]
    frozen.remove(slot)
    return slot


def _stop(stage: Stage, n: int, _: int) -> str:
    processes = stage[0].processes
    slot = processes.at_work(n, WORKERS)
    processes.stop(slot)
    return slot


def _cancel(stage: Stage, n: int, _: int) -> str:
    jobs = live_jobs(stage[1])
    operators.cancel(stage[0].runtime, jobs[n % len(jobs)])
    return jobs[n % len(jobs)]


def _replay(stage: Stage, n: int, _: int) -> str:
    jobs = dead_jobs(stage[1])
    operators.replay(stage[0].runtime, jobs[n % len(jobs)])
    return jobs[n % len(jobs)]


def _lose(stage: Stage, n: int, _: int) -> None:
    bag = stage[0].broker.bag
    del bag[n % len(bag)]


def _toggle_broker(stage: Stage, _: int, __: int) -> str:
    broker = stage[0].broker
    broker.away = not broker.away
    return "away" if broker.away else "there"


def _jump(stage: Stage, n: int, _: int) -> str:
    seconds = stage[2].jumps[n % len(stage[2].jumps)]
    stage[0].jump(seconds)
    return f"{seconds:g} s"


def _seldom(seconds: float) -> Move:
    def jump(stage: Stage, n: int, other: int) -> str:
        if n % SELDOM:
            return _jump(stage, n, other)
        stage[0].jump(seconds)
        return f"{seconds:g} s"

    return jump


def _can_restore(stage: Stage) -> bool:
    at = stage[0].copied_at
    return at is not None and stage[0].clock.now - at < COPY_SECONDS


DISASTERS: Mapping[str, Move] = {
    "post": _post,
    "broken journal": _post_into_a_broken_journal,
    "pay": _pay,
    "webhook": _webhook,
    "freeze": _freeze,
    "wake": _wake,
    "kill": _kill,
    "stop": _stop,
    "cancel": _cancel,
    "replay": _replay,
    "pause or resume": lambda stage, _, __: operators.toggle_pause(stage[0].runtime),
    "lose": _lose,
    "broker comes or goes": _toggle_broker,
    "jump": _jump,
    "too old": _seldom(TOO_OLD_SECONDS),
    "next day": _seldom(NEXT_DAY_SECONDS),
    "copy": lambda stage, _, __: stage[0].copy(),
    "restore": lambda stage, _, __: stage[0].restore(),
    "forget": lambda stage, _, __: stage[0].forget(),
}
# After these, what was there before is no measure for what comes then.
NEW_BEGINNINGS = frozenset({"restore", "forget"})
# When a move can be made; all others can at any time.
POSSIBLE: Mapping[str, Callable[[Stage], bool]] = {
    "advance": lambda stage: bool(stage[0].processes.awake()),
    "run": lambda stage: bool(stage[0].processes.awake()),
    "stall": lambda stage: bool(stage[0].processes.awake()),
    "freeze": lambda stage: bool(stage[0].processes.awake()),
    "wake": lambda stage: bool(stage[0].processes.frozen),
    "kill": lambda stage: bool(stage[0].processes.puppets),
    "stop": lambda stage: not all(map(stage[0].processes.is_idle, WORKERS)),
    "deliver": lambda stage: bool(stage[0].broker.bag) and any(map(stage[0].processes.is_idle, WORKERS)),
    "take new": lambda stage: stage[0].requests.news and bool(stage[0].processes.idle("intake")),
    "take left": lambda stage: bool(stage[0].processes.idle("intake")),
    "upkeep": lambda stage: bool(stage[0].processes.idle("upkeep")),
    "lose": lambda stage: bool(stage[0].broker.bag),
    "pay": lambda stage: bool(stage[0].stripe.intents),
    "webhook": lambda stage: bool(stage[0].stripe.events),
    "cancel": lambda stage: bool(live_jobs(stage[1])),
    "replay": lambda stage: bool(dead_jobs(stage[1])),
    "restore": _can_restore,
    "forget": lambda stage: not stage[0].memory.outstanding(),  # what was not taken in yet would rightly be lost
}
