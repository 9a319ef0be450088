"""`make demo`: runs the main job on this machine and compares the books."""

import json
import random
import secrets
import shutil
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from sandbox.demo.batch import invoice_a_batch
from sandbox.demo.bookings import make_booking
from sandbox.demo.books import Books, compare, read_payments, unfinished_jobs
from sandbox.demo.disputes import win_and_lose
from sandbox.demo.explained import explained
from sandbox.demo.fates import FATES, LATE_REFUNDED, SETTLE_SECONDS, SMOOTH, DemoError, Fate, Progress, Stage
from sandbox.demo.gap import SETTINGS as GAP_SETTINGS
from sandbox.demo.gap import heal_and_reconcile
from sandbox.demo.heard import in_words, unheard
from sandbox.demo.table import fates_table, live_table, percentile, show_books, wide_console
from sandbox.failures import say_clearly
from sandbox.ledger_agreement import read_posted
from sandbox.processes import Event
from sandbox.shopper import ShopperError
from sandbox.system import Ports, System, running_system

AT_ONCE = 6  # payments under way at the same time
NOTES_SHOWN = 4
REFRESH_PER_SECOND = 8
RUNS = Path(".run")
REPORT = Path("build") / "demo.json"
POLL_SECONDS = 0.1
NOTEWORTHY = frozenset({"killed", "restarting", "ended"})


@click.command(epilog="Example: make demo ARGS='--seed 7'")
@click.option("--seed", type=int, help="Choose bookings and webhook order as in an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON instead of tables.")
def main(seed: int | None, *, as_json: bool) -> None:
    """Run the main job: 30 payments of mixed fate, from the website's post to paid, and compare the books.

    Exits 0 only if every payment ended as it should and the simulator's ledger and Tollgate's database agree to the
    penny. The report is kept in build/demo.json, logs in .run/ if something went wrong.
    """
    console = wide_console(stderr=as_json)
    folder = RUNS / f"demo-{secrets.token_hex(4)}"
    seed = secrets.randbelow(10_000) if seed is None else seed
    started = time.monotonic()
    with say_clearly(console, folder / "logs"):
        try:
            report = _play(console, folder, seed)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    report["seconds"] = round(time.monotonic() - started, 1)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(report))
    if not report["agreed"]:
        console.print(f"[red]The demo failed.[/red] Logs: {folder / 'logs'}; report: {REPORT}")
        sys.exit(1)
    shutil.rmtree(folder)
    console.print(f"All as promised, in {report['seconds']:.0f} s. Report: {REPORT}. To keep it running: make run")


def _play(console: Console, folder: Path, seed: int) -> dict[str, Any]:
    notes: deque[str] = deque(maxlen=NOTES_SHOWN)

    def on_event(event: Event) -> None:
        if event.kind in NOTEWORTHY:
            notes.append(f"{event.name}: {event.detail}")

    ports = Ports(website=True)
    with running_system(
        folder,
        ports=ports,
        settings=GAP_SETTINGS,
        on_event=on_event,
        on_step=lambda step: console.print(f"· {step}"),
    ) as system:
        # Every webhook comes twice and in no order, as Stripe may send them.
        system.simulator.webhooks(duplicates=1, shuffle=seed)
        all_progress = _plan(seed)
        started = time.monotonic()
        with Live(console=console, refresh_per_second=REFRESH_PER_SECOND, transient=True, auto_refresh=False) as live:
            done = threading.Event()

            def show() -> None:
                live.update(live_table(all_progress, list(notes), time.monotonic() - started), refresh=True)

            painter = threading.Thread(target=_repeat, args=(show, done), name="table")
            painter.start()
            try:
                _run_fates(Stage(system), all_progress)
                _settle(system)
            finally:
                done.set()
                painter.join()
        payments = read_payments(system.addresses.database_url)
        posted = read_posted(system.addresses.database_url)
        views = [system.api.payment(payment["id"]).body for payment in payments]
        books = compare(system.simulator.ledger(), payments, posted, views)
        _close(console, system, all_progress, books)
        report = _report(system, all_progress, books, seed)
        report = invoice_a_batch(console, system, report)
        report = win_and_lose(console, system, report)
        return heal_and_reconcile(console, system, report)


def _repeat(show: Any, done: threading.Event) -> None:
    while not done.wait(1 / REFRESH_PER_SECOND):
        show()
    show()


def _plan(seed: int) -> list[Progress]:
    chance = random.Random(seed)  # noqa: S311 - a repeatable demo, no secret
    run = f"D{seed:04d}"
    fates = [fate for fate in FATES for _ in range(fate.count)]
    return [Progress(number, fate.name, make_booking(number, run, chance)) for number, fate in enumerate(fates, 1)]


def _run_fates(stage: Stage, all_progress: Sequence[Progress]) -> None:
    plays = {fate.name: fate for fate in FATES}
    # In waves, so that no figures are those of a worker that was killed for another payment's sake.
    for wave in sorted({fate.wave for fate in FATES}):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for progress in all_progress:
                if plays[progress.fate].wave == wave:
                    pool.submit(_run_one, stage, plays[progress.fate], progress)


def _run_one(stage: Stage, fate: Fate, progress: Progress) -> None:
    try:
        fate.play(stage, progress)
    except (DemoError, ShopperError, OSError) as error:
        progress.problem = str(error)
    except Exception as error:  # noqa: BLE001 - whatever went wrong belongs to this payment's row, and fails the demo
        progress.problem = f"{type(error).__name__}: {error}"


def _settle(system: System) -> None:
    """Wait until every webhook is delivered and every job has ended."""
    deadline = time.monotonic() + SETTLE_SECONDS
    pause = threading.Event()
    while time.monotonic() < deadline:
        waiting = system.simulator.deliveries()["waiting"]
        if not waiting and not unfinished_jobs(system.addresses.database_url):
            return
        pause.wait(POLL_SECONDS)


def _heard(system: System) -> list[dict[str, Any]]:
    return [] if system.website is None else system.website.heard()


def _close(console: Console, system: System, all_progress: Sequence[Progress], books: Books) -> None:
    console.print(fates_table(all_progress))
    for progress in all_progress:
        if progress.problem:
            console.print(f"[red]{progress.booking.reference} ({progress.fate}): {progress.problem}[/red]")
    fired = sum(fault["fired"] for fault in system.simulator.faults())
    kills = system.supervisor.starts("worker") - 1
    console.print(f"\nOn the way: {fired} calls to Stripe spoiled, {kills} workers SIGKILLed, every webhook sent twice")
    show_books(console, books)
    console.print(f"The website heard, signed and each once: {in_words(_heard(system))}")
    console.print(f"\ntollgate explain, of the payment that was {LATE_REFUNDED}:\n")
    console.print(explained(system, all_progress), highlight=False, markup=False)
    console.print(
        f"\nAPI {system.web_url}/v1/openapi.json   Flower {system.flower_url}   Stripe {system.simulator.base_url}"
    )


def _report(system: System, all_progress: Sequence[Progress], books: Books, seed: int) -> dict[str, Any]:
    smooth = {fate.name for fate in FATES if fate.wave == SMOOTH}
    results = [p.to_result for p in all_progress if p.to_result is not None and p.fate in smooth]
    unfinished = unfinished_jobs(system.addresses.database_url)
    wrong = [f"{p.booking.reference} ({p.fate}): {p.problem}" for p in all_progress if p.problem]
    wrong += list(books.differences)
    wrong += unheard(_heard(system), read_payments(system.addresses.database_url))
    wrong += [f"{unfinished} jobs have not ended"] if unfinished else []
    wrong += (
        [f"{books.payments} payments instead of {len(all_progress)}"] if books.payments != len(all_progress) else []
    )
    return {
        "agreed": not wrong,
        "wrong": wrong,
        "seed": seed,
        "payments": [
            {
                "booking": p.booking.reference,
                "fate": p.fate,
                "status": p.status,
                "seconds_to_result": p.to_result,
                "seconds_to_end": p.to_end,
            }
            for p in all_progress
        ],
        "seconds_to_result_undisturbed": {"p50": percentile(results, 0.5), "p95": percentile(results, 0.95)},
        "notifications": dict(Counter(each["type"] for each in _heard(system))),
        "books": {"simulator": dict(books.at_stripe), "tollgate": dict(books.ours), "charges": books.charges},
    }


if __name__ == "__main__":
    main()
