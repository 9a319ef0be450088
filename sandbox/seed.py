"""`make seed`: payments and invoices in every state, made as the website and its shoppers would make them."""

import json
import random
import secrets
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import Progress as Bar
from stripe import StripeError

from sandbox.api_client import ApiClient
from sandbox.demo.bookings import Booking, make_booking
from sandbox.demo.table import wide_console
from sandbox.failures import say_clearly
from sandbox.running import FOLDER, Running
from sandbox.seed_invoices import INVOICE_STATES
from sandbox.seed_states import STATES, SeedError, Site, State, site_of
from sandbox.shopper import ShopperError
from sandbox.simulator_control import SimulatorControl
from sandbox.system import running_system

AT_ONCE = 8  # payments or invoices under way at the same time
STEP = 50  # where no bar can be drawn, tell of every fiftieth


@click.command(epilog="Example: make seed ARGS='--seed 7'")
@click.option("--seed", type=int, help="Choose courses, prices and names as in an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON instead of a table.")
def main(seed: int | None, *, as_json: bool) -> None:
    """Make 200 payments and 40 invoices in every state that there is a door to.

    They go into the system that `make run` keeps up; if none runs, one is started for the purpose and stopped again,
    and what was made is there at the next `make run`.
    """
    console = wide_console(stderr=as_json)
    run = f"S{secrets.token_hex(3)}"
    seed = secrets.randbelow(10_000) if seed is None else seed
    with say_clearly(console, FOLDER / "logs"), _site(console) as site:
        payments, problems = _make_all(console, site, "payments", STATES, run, seed)
        invoices, more = _make_all(console, site, "invoices", INVOICE_STATES, f"{run}I", seed)
        problems += more
    if as_json:
        counts = {"payments": dict(payments), "invoices": dict(invoices)}
        click.echo(json.dumps({"run": run, "seed": seed, **counts, "problems": problems}))
    else:
        _tell(console, "payments", STATES, payments, run)
        _tell(console, "invoices", INVOICE_STATES, invoices, f"{run}I")
    for problem in problems:
        console.print(f"[red]{problem}[/red]")
    sys.exit(1 if problems else 0)


@contextmanager
def _site(console: Console) -> Iterator[Site]:
    running = Running.find()
    if running is not None:
        console.print(f"· filling the running system at {running.web_url}")
        yield site_of(ApiClient(running.web_url, running.api_key), SimulatorControl(running.simulator_url))
        return
    with running_system(FOLDER, on_step=lambda step: console.print(f"· {step}")) as system:
        yield site_of(system.api, system.simulator)


def _tell(console: Console, noun: str, states: Sequence[State], made: Counter[str], run: str) -> None:
    for status in dict.fromkeys(state.status for state in states):
        console.print(f"  {status:<22} {made[status]:>4}")
    console.print(f"{made.total()} {noun} with bookings {run}-001 and on.")


def _make_all(
    console: Console, site: Site, noun: str, states: Sequence[State], run: str, seed: int
) -> tuple[Counter[str], list[str]]:
    chance = random.Random(seed)  # noqa: S311 - repeatable test data, no secret
    wanted = [state for state in states for _ in range(state.share)]
    chance.shuffle(wanted)
    made: Counter[str] = Counter()
    problems: list[str] = []
    with Bar(console=console, transient=True) as bar, ThreadPoolExecutor(AT_ONCE) as pool:
        line = bar.add_task(noun, total=len(wanted))
        futures = [
            pool.submit(_make, site, state, make_booking(number, run, chance)) for number, state in enumerate(wanted, 1)
        ]
        for future in as_completed(futures):
            status, problem = future.result()
            if problem is None:
                made[status] += 1
            else:
                problems.append(problem)
            bar.advance(line)
            if not console.is_terminal and made.total() % STEP == 0:
                console.print(f"· {made.total()} of {len(wanted)} {noun}")
    return made, problems


def _make(site: Site, state: State, booking: Booking) -> tuple[str, str | None]:
    try:
        site.wait_for(state.make(site, booking), state.status)
    except (SeedError, ShopperError, StripeError, OSError) as error:
        return state.status, f"{booking.reference}: {error}"
    return state.status, None


if __name__ == "__main__":
    main()
