"""The state machine: Hypothesis plays the world's processes, messages, clock and disasters against each other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import inf
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.model import promises, rest
from tests.model.disasters import DISASTERS, NEW_BEGINNINGS, POSSIBLE
from tests.model.focus import OPTIONAL, Focus, Tally
from tests.model.processes import CHORES, WORKERS
from tests.model.puppet import Puppet
from tests.model.sight import Sight
from tests.model.world import World

REPEATED = 4  # of so many deliveries one leaves the message in the queue
INSTEAD = ("advance", "deliver", "take new")  # of what can't be done: the first of these that can,
IDLE = ("post", "jump", "publish", "rescue", "republish", "take left")  # or one of these while there is nothing to do
NUMBERS = 12  # a choice is one of so many
UNSPOILT = NUMBERS  # chooses no fault, however many a focus has
STALLS = 6  # after as many stops, at the most, a process stands still that is to stall
# Two numbers of twelve, drawn as one, which costs half.
CHOICES = list(product(range(NUMBERS), repeat=2))


class Machine(RuleBasedStateMachine):
    """One example: a world made new, and whatever Hypothesis does in it."""

    def __init__(self, world: World, focus: Focus, tally: Tally) -> None:
        super().__init__()
        self.world = world
        self.focus = focus
        self.tally = tally
        self.off: frozenset[str] = frozenset()
        self.sound = True
        self.story: list[str] = []
        self.is_played = tally.examples < tally.enough
        if self.is_played:
            world.reset()
        self.sight: Sight = world.look()

    @initialize(off=st.frozensets(st.sampled_from(OPTIONAL)))
    def leave_out(self, off: frozenset[str]) -> None:
        self.off = frozenset() if self.focus.only else off

    def step(self, move: str, n: int, other: int) -> None:
        """Make a move; one that can't be made now is made another."""
        self.tally.steps += 1
        if move in self.off or not self.is_possible(move):
            first = other % len(IDLE)
            move = next(filter(self.is_possible, (*INSTEAD, *IDLE[first:], *IDLE[:first])))
        match move:
            case "advance":
                self.go_on(self.at_work(n), other, move)
            case "run":
                self.run(self.at_work(n), other)
            case "stall":
                self.run(self.at_work(n), n, 1 + other % STALLS, move)
            case "deliver":
                self.deliver(n, other)
            case "take new" | "take left":
                self.intake(move, n)
            case _ if move in CHORES:
                slot = self.world.processes.idle("upkeep")[0]
                self.begin(move, slot, self.world.processes.chore(slot, move))
            case _:
                self.befall(move, n, other)

    def teardown(self) -> None:
        try:
            if self.sound and self.is_played:
                self.tally.examples += 1
                sight = rest.come_to_rest(self.world)
                self.tell(promises.check_rest, self.world, sight)
                for job in sight.jobs.values():
                    self.tally.endings[f"{job['kind']} {job['state']}"] += 1
        finally:
            self.world.processes.kill_all()

    def is_possible(self, move: str) -> bool:
        possible = POSSIBLE.get("upkeep" if move in CHORES else move)
        return possible is None or possible((self.world, self.sight, self.focus))

    def at_work(self, n: int) -> str:
        processes = self.world.processes
        return processes.at_work(n, processes.awake())

    def intake(self, move: str, n: int) -> None:
        slots = self.world.processes.idle("intake")
        slot = slots[n % len(slots)]
        reader = self.world.processes.readers[slot.partition(" ")[0]]
        self.world.requests.news = self.world.requests.news and move == "take left"
        self.begin(move, slot, reader.take_left if move == "take left" else reader.take_new)

    def deliver(self, n: int, again: int) -> None:
        bag = self.world.broker.bag
        message = bag[n % len(bag)] if again % REPEATED == REPEATED - 1 else bag.pop(n % len(bag))
        slot = next(filter(self.world.processes.is_idle, WORKERS))
        self.begin("deliver", slot, self.world.processes.work(slot, message))

    def begin(self, move: str, slot: str, do: Callable[[], Any]) -> None:
        self.world.processes.start(slot, do)
        self.go_on(slot, UNSPOILT, move)

    def run(self, slot: str, fault: int, stops: float = inf, move: str = "run") -> None:
        """Let it go on to its end; the first call to Stripe that is not for a customer may be spoilt.

        If it has not ended after so many stops, it freezes there.
        """
        processes = self.world.processes
        while stops > 0 and not processes.is_idle(slot):
            chosen = fault if processes.puppets[slot].at in {"call intent", "call list"} else UNSPOILT
            self.go_on(slot, chosen, move)
            fault = fault if chosen == UNSPOILT else UNSPOILT
            stops -= 1
        if not processes.is_idle(slot):
            processes.frozen.add(slot)

    def go_on(self, slot: str, fault: int, move: str) -> None:
        faults = () if "faults" in self.off else self.focus.faults
        at = self.world.processes.puppets[slot].at
        spoilt = faults[fault] if fault < len(faults) and at.startswith("call") else None
        puppet = self.world.processes.advance(slot, spoilt)
        self.see(move, f"{puppet.worker}: {at}{f', {spoilt}' if spoilt else ''} -> {puppet.at}", puppet)

    def befall(self, move: str, n: int, other: int) -> None:
        words = DISASTERS[move]((self.world, self.sight, self.focus), n, other)
        if move in NEW_BEGINNINGS:
            self.sight = self.world.look()
        self.see(move, words or "")

    def see(self, move: str, words: str, actor: Puppet | None = None) -> None:
        """Look at everything again, and check what the move has changed."""
        self.story.append(f"{move} {words}".rstrip())
        self.tally.moves[move] += 1
        before, self.sight = self.sight, self.world.look()
        self.tell(promises.check_step, self.world, before, self.sight, actor)

    def tell(self, check: Callable[..., None], *arguments: Any) -> None:
        """Check, and if it fails tell in words what had happened."""
        sound, self.sound = self.sound, False
        try:
            check(*arguments)
        except promises.BrokenPromiseError as error:
            error.add_note("\n".join(["What happened:", *self.story]))
            raise
        self.sound = sound


def machine_for(focus: Focus) -> type[Machine]:
    """Return the machine with a focus' moves as its rule."""

    class FocusedMachine(Machine):
        @rule(move=st.sampled_from(focus.moves()), choice=st.sampled_from(CHOICES))
        def move(self, move: str, choice: tuple[int, int]) -> None:
            if self.is_played:
                self.step(move, *choice)

    return FocusedMachine
