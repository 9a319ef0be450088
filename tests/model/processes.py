"""The workers and the dispatchers' parts: what each has in hand, where it stands, and how often it was killed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, cast

from redis import Redis

from tasks import upkeep
from tasks.contracts.steps import Step
from tasks.intake import Reader
from tests.builders.house import EVENTS
from tests.model.broker import Broker, Message
from tests.model.clock import Clock
from tests.model.fake_stripe import FakeStripe
from tests.model.puppet import Puppet
from tests.model.stepped import SINGLES, SteppedRuntime
from workers.jobs.batch import run_batch
from workers.jobs.release import release
from workers.jobs.run import run_job

DISPATCHERS = ("d0", "d1")
WORKERS = ("w0", "w1", "w2")
SLOTS = (*WORKERS, *(f"{name} {part}" for name in DISPATCHERS for part in ("intake", "upkeep")))
CHORES = ("rescue", "publish", "republish", "views", "epoch", "waiting entries", "trim")
# What the model takes for granted: nothing stays frozen for longer and then goes on, since a supervisor or an operator
# has ended it.
FREEZE_SECONDS = 600.0
# And a request that is on its way arrives by then or never, though its worker be frozen as it sends it: below the two
# minutes after which Tollgate takes Stripe's list for the truth.
LATE_SECONDS = 60.0


class Processes:
    """All processes of one example, each in a slot of its own; none has anything to do at first.

    Args:
        runtime: what they hold open; each bears a name of its own.
        broker: where the dispatchers send their messages.
        stripe: whom the workers ask; a fault is left with it as they do.
        clock: tells how long each has stood still.
    """

    def __init__(self, runtime: SteppedRuntime, broker: Broker, stripe: FakeStripe, clock: Clock) -> None:
        self._runtime = runtime
        self._broker = cast("Any", broker)
        self._stripe = stripe
        self._clock = clock
        self._lives = dict.fromkeys(SLOTS, 0)
        self.puppets: dict[str, Puppet] = {}
        self.frozen: set[str] = set()
        self.stood_since: dict[str, float] = {}
        self.readers = {name: self._reader(name) for name in DISPATCHERS}

    def start(self, slot: str, do: Callable[[], Any]) -> Puppet:
        """Give an idle process something to do, and let it go to where it first matters."""
        puppet = self.puppets[slot] = Puppet(do, worker=self._life(slot))
        puppet.advance()
        self.stood_since[slot] = self._clock.now
        return puppet

    def is_idle(self, slot: str) -> bool:
        """Tell whether a process could begin something."""
        return slot not in self.puppets

    def at_work(self, n: int, among: Iterable[str] = SLOTS) -> str:
        """Return one of the processes that have something to do."""
        slots = [slot for slot in among if slot in self.puppets]
        return slots[n % len(slots)]

    def awake(self) -> list[str]:
        """Return those of them that are not frozen."""
        return [slot for slot in SLOTS if slot in self.puppets and slot not in self.frozen]

    def idle(self, part: str) -> list[str]:
        """Return the dispatchers' processes of that part which have nothing to do."""
        return [slot for slot in (f"{name} {part}" for name in DISPATCHERS) if self.is_idle(slot)]

    def advance(self, slot: str, fault: str | None = None) -> Puppet:
        """Let a process go on to its next stop; a call to Stripe that it makes there may be spoilt."""
        puppet = self.puppets[slot]
        self._stripe.fault = fault if puppet.at.startswith("call") else None
        puppet.advance()
        self._stripe.fault = None
        self.stood_since[slot] = self._clock.now
        if puppet.ended:
            del self.puppets[slot]
            self.frozen.discard(slot)
        return puppet

    def kill(self, slot: str) -> None:
        """Kill a process where it stands; the one that takes its place has a new name."""
        self.puppets.pop(slot).kill()
        self.frozen.discard(slot)
        self._lives[slot] += 1
        name, _, part = slot.partition(" ")
        if part == "intake":
            self.readers[name] = self._reader(name)

    def kill_all(self) -> None:
        """Kill every process that is at work."""
        for slot in list(self.puppets):
            self.kill(slot)

    def end_the_frozen(self) -> None:
        """Kill whatever has stood still for so long that it can't go on any more."""
        for slot, puppet in list(self.puppets.items()):
            stood = self._clock.now - self.stood_since[slot]
            if stood > (LATE_SECONDS if puppet.at.startswith("call") else FREEZE_SECONDS):
                self.kill(slot)

    def stop(self, slot: str) -> None:
        """End a worker politely when its grace is over: it can ask nothing any more, and gives back what it runs."""
        name = self._life(slot)
        self.kill(slot)
        with self._runtime.transaction(Step.RELEASE) as session:
            release(session, name)

    def work(self, slot: str, message: Message) -> Callable[[], Any]:
        """Return what a worker does with a message."""
        runtime = self._named(slot)
        if message.kind in SINGLES:
            return lambda: [run_job(runtime, job_id, cast("Any", SINGLES[message.kind])) for job_id in message.job_ids]
        return lambda: run_batch(runtime, message.job_ids, EVENTS)

    def chore(self, slot: str, name: str) -> Callable[[], Any]:
        """Return a piece of a dispatcher's upkeep."""
        chores = upkeep.chores(self._named(slot), self._broker, self._clock.time)
        [chore] = [each for each in chores if each.name == name]
        return chore.do

    def _life(self, slot: str) -> str:
        return f"{slot.replace(' ', '.')}.{self._lives[slot]}"

    def _named(self, slot: str) -> SteppedRuntime:
        return dataclasses.replace(self._runtime, name=self._life(slot))

    def _reader(self, name: str) -> Reader:
        redis: Redis = self._runtime.redis
        reader = Reader(self._named(f"{name} intake"), self._broker, redis)
        reader.join()
        return reader
