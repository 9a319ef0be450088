"""The model finds what it is there to find: each planted bug, and nothing where none is planted."""

from __future__ import annotations

import pytest

from tests.model.bugs import BUGS
from tests.model.focus import Tally
from tests.model.promises import BrokenPromiseError
from tests.model.run import run_example
from tests.model.world import World

SEEDS = 6  # tried one after another until the bug is found, should the first not find it any more
EXAMPLES = 15  # of each seed: some 1,100 steps
pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]  # a few seconds on an idle machine


@pytest.mark.parametrize("name", list(BUGS))
def test_a_planted_bug_is_found_and_the_sound_code_passes_under_the_same_seeds(world: World, name: str) -> None:
    bug = BUGS[name]
    found = False
    with bug.ground():
        for seed in range(bug.seed, bug.seed + SEEDS):
            with bug.plant():
                try:
                    run_example(world, bug.focus, seed, examples=EXAMPLES, shrink=False, tally=Tally())
                except BrokenPromiseError:
                    found = True
            run_example(world, bug.focus, seed, examples=EXAMPLES, shrink=False, tally=Tally())
            if found:
                break
    assert found, "nobody found it"
