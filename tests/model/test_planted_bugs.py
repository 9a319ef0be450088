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
        found = next(filter(None, (find(world, bug, seed) for seed in range(bug.seed, bug.seed + SEEDS))), None)
        assert found is not None, "nobody found it"
        seed, before = found
        sound = Tally(enough=before + 1)  # the example in which it was found is the last
        look_for_it(world, bug, seed, sound)
        assert sound.examples == sound.enough


def find(world: World, bug: Bug, seed: int) -> tuple[int, int] | None:
    """Return the seed and how many sound examples came before the bug was found, or None."""
    tally = Tally()
    with bug.plant():
        try:
            look_for_it(world, bug, seed, tally)
        except BrokenPromiseError:
            return seed, tally.examples
    return None


def look_for_it(world: World, bug: Bug, seed: int, tally: Tally) -> None:
    run_example(world, bug.focus, seed, examples=EXAMPLES, shrink=False, tally=tally)
