"""`make chaos`: everything fails, and nothing may be lost or done twice."""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import click
from rich.console import Console

from sandbox.chaos import report
from sandbox.chaos.judgement import run_scenario
from sandbox.chaos.scenarios import SCENARIOS, Scenario
from sandbox.chaos.stage import Length, Stage
from sandbox.chaos.view import Board, shown
from sandbox.demo.table import wide_console
from sandbox.failures import say_clearly

RUNS: Final = Path(".run")
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}


@click.command(epilog="Example: make chaos ARGS='--seed 7 --scenario faults', or all of it: make chaos LENGTH=long")
@click.option("--seed", type=int, help="Choose faults, their order and the orders as in an earlier run.")
@click.option(
    "--length",
    type=click.Choice(["short", "long"]),
    default="short",
    show_default=True,
    help="A few minutes, or all figures of docs/chaos.md in about an hour.",
)
@click.option("--scenario", "names", multiple=True, type=click.Choice(list(BY_NAME)), help="Only this; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON when all is over.")
def main(seed: int | None, length: str, names: Sequence[str], *, as_json: bool) -> None:
    """Run payments through the real processes while these are killed, frozen and cut off, and judge from outside.

    Exits 0 only if every promise was kept. The report is kept in build/chaos.json, also of a run that was interrupted,
    and logs in .run/ if something was broken.
    """
    console = wide_console(stderr=as_json)
    seed = secrets.randbelow(10_000) if seed is None else seed
    chosen = [BY_NAME[name] for name in dict.fromkeys(names)]
    chosen = chosen or [each for each in SCENARIOS if each.short or length == "long"]
    folder = RUNS / f"chaos-{secrets.token_hex(4)}"
    console.print(f"Seed {seed}, {length}: {', '.join(each.name for each in chosen)}")
    with say_clearly(console, folder):
        try:
            found = _run(console, folder, chosen, cast("Length", length), seed)
        except KeyboardInterrupt:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    if as_json:
        click.echo(json.dumps(found))
    sys.exit(0 if found["passed"] else 1)


def _run(console: Console, folder: Path, chosen: Sequence[Scenario], length: Length, seed: int) -> dict[str, Any]:
    started = time.monotonic()
    done: dict[str, dict[str, Any]] = {}
    board = Board(of=len(chosen))
    found = report.summary(seed, length, done, 0.0)
    report.write(found)
    with shown(console, board):
        for number, scenario in enumerate(chosen, 1):
            board.scenario, board.number, board.stage = scenario.name, number, None
            own = folder / scenario.name
            done[scenario.name] = run_scenario(
                scenario,
                own,
                length=length,
                seed=seed,
                on_stage=lambda stage: _set(board, stage),
                on_step=lambda step: console.print(f"· {board.scenario}: {step}"),
            )
            found = report.summary(seed, length, done, time.monotonic() - started)
            report.write(found)
            _tell(console, scenario, done[scenario.name], own, f"--seed {seed} --length {length}")
    if found["passed"]:
        shutil.rmtree(folder)
    console.print(
        f"{'All as promised' if found['passed'] else 'Promises were broken'}, in {found['seconds']:.0f} s. "
        f"Report: {report.PATH}"
    )
    return found


def _set(board: Board, stage: Stage) -> None:
    board.stage = stage


def _tell(console: Console, scenario: Scenario, result: dict[str, Any], folder: Path, options: str) -> None:
    names = (
        "accepted",
        "invoices",
        "unknown",
        "lost",
        "double_charges",
        "double_invoices",
        "orphans",
        "unfinished",
        "dead",
    )
    figures = "  ".join(f"{name} {result[name]}" for name in (*names, "availability"))
    console.print(f"{scenario.name}: {scenario.title}\n  promised: {scenario.promise}\n  {figures}", markup=False)
    for name, value in result["figures"].items():
        console.print(f"  {name}: {value}", markup=False)
    for reason, jobs in result["dead_letters"].items():
        console.print(f"  dead: {jobs} {reason}", markup=False)
    if result["passed"]:
        console.print("  [green]kept[/green]")
        shutil.rmtree(folder, ignore_errors=True)
        return
    for line in (*result["broken"], *result["findings"]):
        console.print(f"  broken: {line}", style="red", markup=False)
    console.print(
        f"  Logs: {folder / 'logs'}. Again: make chaos ARGS='{options} --scenario {scenario.name}'", markup=False
    )


if __name__ == "__main__":
    main()
