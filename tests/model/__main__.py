"""`make model`: the model for many steps, on servers of its own, with its progress and one closing line."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from contextlib import closing

from sandbox.servers import with_postgres, with_valkey
from tests.model.crew import run_seeds
from tests.model.focus import Tally
from tests.model.run import EXAMPLES, how_to_repeat

STEPS = 200_000
BETWEEN_LINES_SECONDS = 10.0


def main() -> int:
    """Run the model; a fault ends it with the shortest way to the fault and the seed that shows it again."""
    parser = argparse.ArgumentParser(prog="make model", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="the first seed; by default any")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"how many, at the least; by default {STEPS}")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="how many; by default one per core")
    parser.add_argument("--examples", type=int, default=EXAMPLES, help=f"of each seed; by default {EXAMPLES}")
    options = parser.parse_args()
    print(f"model: from seed {options.seed}, {options.steps} steps", flush=True)
    total, began, seed = Tally(), time.monotonic(), options.seed
    told = began
    with (
        with_valkey() as redis,
        with_postgres(fsync=False) as postgres,
        closing(run_seeds(seed, options.examples, options.processes, (postgres.url, redis.url))) as seeds,
    ):
        while total.steps < options.steps:
            found = next(seeds)
            if isinstance(found, str):
                print(f"{found}\nmodel: a promise is broken. {how_to_repeat(seed, options.examples)}", flush=True)
                return 1
            total.add(found)
            seed += 1
            if time.monotonic() - told >= BETWEEN_LINES_SECONDS:
                told = time.monotonic()
                print(f"model: {total.steps} of {options.steps} steps after {told - began:.0f} s", flush=True)
    seconds = time.monotonic() - began
    print(f"model: {total.steps} steps from seed {options.seed} in {seconds:.0f} s, no promise broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
