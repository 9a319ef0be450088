"""Runs the machine for a number of steps, from a seed."""

from __future__ import annotations

from math import ceil

from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import seed as seeded
from hypothesis.stateful import get_state_machine_test

from tests.model.focus import Focus, Tally
from tests.model.machine import machine_for
from tests.model.world import World

EXAMPLES = 25  # between two seeds: Hypothesis soon repeats itself less when it is begun anew
STEPS = 80  # of one example
PHASES = (Phase.generate, Phase.shrink)


def run_example(
    world: World, focus: Focus, start: int, *, examples: int = EXAMPLES, shrink: bool = True, tally: Tally
) -> None:
    """Run the machine once from a seed; a failure is printed as the shortest way to it.

    Raises:
        BrokenPromiseError: the model has found a fault.
    """
    machine = machine_for(focus)
    test = get_state_machine_test(
        lambda: machine(world, focus, tally),
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            database=None,
            deadline=None,
            phases=PHASES if shrink else PHASES[:1],
            report_multiple_bugs=False,
            verbosity=Verbosity.normal,
            suppress_health_check=list(HealthCheck),
        ),
    )
    seeded(start)(test)()


def run_steps(world: World, focus: Focus, *, seed: int, steps: int, tally: Tally) -> None:
    """Run the machine from one seed after another until it has made so many steps.

    Args:
        world: is made new for each example.
        focus: where the machine looks.
        seed: the first.
        steps: how many, at the least.
        tally: counts them.

    Raises:
        BrokenPromiseError: the model has found a fault; a note tells how to see it again.
    """
    while tally.steps < steps:
        examples = min(EXAMPLES, ceil((steps - tally.steps) / STEPS))
        try:
            run_example(world, focus, seed, examples=examples, tally=tally)
        except BaseException as error:
            error.add_note(how_to_repeat(seed, examples))
            raise
        seed += 1


def how_to_repeat(seed: int, examples: int) -> str:
    """Tell how to see again what was found from a seed."""
    more = "" if examples == EXAMPLES else f" --examples {examples}"  # Hypothesis tries others when it is to try fewer
    return f"To see it again: make model SEED={seed} ARGS='--steps 1{more}'"
