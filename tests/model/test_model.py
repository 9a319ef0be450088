"""The model in `make test`: twenty thousand steps of the shipped code, in which nothing breaks a promise."""

from __future__ import annotations

import pytest

from tests.model.focus import WEIGHTS, Focus, Tally
from tests.model.run import run_example, run_steps
from tests.model.world import World

STEPS = 20_000
PARTS = 4  # which pytest's processes share
SEED = 1
FEW = 5  # examples
APART = 1_000  # seeds between two parts, far more than one takes
SELDOM = {"restore", "forget", "replay", "next day", "too old", "trim", "pay"}  # a part may lack these
pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]  # half a minute on an idle machine


@pytest.mark.parametrize("part", range(PARTS))
def test_twenty_thousand_steps_break_no_promise(world: World, part: int) -> None:
    tally = Tally()
    run_steps(world, Focus(), seed=SEED + part * APART, steps=STEPS // PARTS, tally=tally)
    assert tally.steps >= STEPS // PARTS
    assert set(WEIGHTS) - SELDOM <= set(tally.moves), "some moves were never made"
    assert {"payments.create done", "payments.create refused", "stripe.event done"} <= set(tally.endings)


def test_the_same_seed_is_the_same_run(world: World) -> None:
    tallies = [Tally(), Tally()]
    for tally in tallies:
        run_example(world, Focus(), SEED, examples=FEW, tally=tally)
    assert tallies[0] == tallies[1]
