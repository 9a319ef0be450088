"""`make model`: the model for many steps, on servers of its own, with its progress and one closing line."""

from __future__ import annotations

import argparse
import secrets
import sys
import time

from sandbox.servers import with_postgres, with_valkey
from tests.databases import database
from tests.model.clock import prepare_database
from tests.model.machine import Focus, Tally
from tests.model.run import run_steps
from tests.model.world import World

STEPS = 200_000
BETWEEN_LINES_SECONDS = 10.0


def main() -> int:
    """Run the model; a fault ends it with the shortest way to the fault and the seed that shows it again."""
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the first seed; by default any")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"how many, at the least; by default {STEPS}")
    options = parser.parse_args()
    print(f"model: from seed {options.seed}, {options.steps} steps", flush=True)
    tally, began = Tally(), time.monotonic()
    told = began

    def progress(steps: int) -> None:
        nonlocal told
        if time.monotonic() - told >= BETWEEN_LINES_SECONDS:
            told = time.monotonic()
            print(f"model: {steps} of {options.steps} steps after {told - began:.0f} s", flush=True)

    with with_valkey() as redis, with_postgres(fsync=False) as postgres, database(postgres.url) as url:
        prepare_database(url)
        world = World(url, redis.url, "tollgate_model:")
        try:
            run_steps(world, Focus(), seed=options.seed, steps=options.steps, tally=tally, progress=progress)
        finally:
            world.close()
    print(f"model: {tally.steps} steps from seed {options.seed} in {time.monotonic() - began:.0f} s, no promise broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
