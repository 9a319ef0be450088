"""The model finds what it is there to find: each planted bug, and nothing where none is planted."""

from __future__ import annotations

import pytest

from tests.model.bugs import BUGS, Bug
from tests.model.focus import Tally
from tests.model.promises import BrokenPromiseError
from tests.model.run import run_example
from tests.model.world import World

SEEDS = 20  # tried one after another until the bug is found, should the first not find it any more
EXAMPLES = 6  # of each seed: some 400 steps
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]  # a few seconds on an idle machine


@pytest.mark.parametrize("name", list(BUGS))
def test_a_planted_bug_is_found_and_the_sound_code_passes_under_the_same_seed(world: World, name: str) -> None:
    bug = BUGS[name]
    with bug.ground():
        seed = next(filter(lambda seed: is_found(world, bug, seed), range(bug.seed, bug.seed + SEEDS)), None)
        assert seed is not None, "nobody found it"
        look_for_it(world, bug, seed)


def is_found(world: World, bug: Bug, seed: int) -> bool:
    with bug.plant():
        try:
            look_for_it(world, bug, seed)
        except BrokenPromiseError:
            return True
    return False


def look_for_it(world: World, bug: Bug, seed: int) -> None:
    run_example(world, bug.focus, seed, examples=EXAMPLES, shrink=False, tally=Tally())
