"""The live table, and the closing summary."""

import math
from collections.abc import Sequence

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from sandbox.demo.books import Books
from sandbox.demo.fates import Progress

STATUS_STYLES = {"paid": "green", "declined": "yellow", "failed": "red", "checking": "magenta", "shopper pays": "cyan"}
PENNIES = 100
PLAIN_WIDTH = 120  # where the output is a file or a pipe


def wide_console(*, stderr: bool) -> Console:
    """Return a console that does not fold lines where there is no terminal to fold them for."""
    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=PLAIN_WIDTH)


def live_table(all_progress: Sequence[Progress], notes: Sequence[str], seconds: float) -> Group:
    """Return the table of all payments as they are now, and the last things that happened to the system."""
    table = Table(
        title=f"{len(all_progress)} payments, {seconds:.0f} s", title_justify="left", box=None, pad_edge=False
    )
    for heading in ("#", "booking", "fate", "status"):
        table.add_column(heading)
    for heading in ("to result", "to end"):
        table.add_column(heading, justify="right")
    for progress in all_progress:
        style = "red" if progress.problem else STATUS_STYLES.get(progress.status, "")
        table.add_row(
            str(progress.number),
            progress.booking.reference,
            progress.fate,
            Text("WRONG" if progress.problem else progress.status, style=style),
            seconds_text(progress.to_result),
            seconds_text(progress.to_end),
        )
    return Group(table, *(Text(note, style="dim") for note in notes))


def seconds_text(seconds: float | None) -> str:
    """Return a duration as people read it."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile, None for no values."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def fates_table(all_progress: Sequence[Progress]) -> Table:
    """Return what became of each fate, and how long it took."""
    table = Table(title="What became of them", title_justify="left", box=None, pad_edge=False)
    table.add_column("fate")
    table.add_column("payments", justify="right")
    table.add_column("ended as")
    for heading in ("post to result p50", "p95", "post to end p50", "p95"):
        table.add_column(heading, justify="right")
    for fate in dict.fromkeys(progress.fate for progress in all_progress):
        _add_row(table, fate, [progress for progress in all_progress if progress.fate == fate])
    _add_row(table, "all", all_progress)
    return table


def _add_row(table: Table, name: str, some: Sequence[Progress]) -> None:
    results = [progress.to_result for progress in some if progress.to_result is not None]
    ends = [progress.to_end for progress in some if progress.to_end is not None]
    statuses = sorted({"WRONG" if progress.problem else progress.status for progress in some})
    figures = [percentile(results, 0.5), percentile(results, 0.95), percentile(ends, 0.5), percentile(ends, 0.95)]
    table.add_row(name, str(len(some)), ", ".join(statuses), *map(seconds_text, figures))


def show_books(console: Console, books: Books) -> None:
    """Print both sides' totals and every difference."""
    console.print(
        f"\nThe books: {books.charges} charges at the simulator; {books.payments} payments and {books.movements} "
        "movements in the ledger here"
    )
    for currency in sorted({*books.at_stripe, *books.ours}):
        theirs, ours = books.at_stripe.get(currency, 0), books.ours.get(currency, 0)
        sign = "=" if theirs == ours else "≠"
        console.print(f"  {currency.upper()}  simulator {theirs / PENNIES:,.2f} {sign} {ours / PENNIES:,.2f} Tollgate")
    for difference in books.differences:
        console.print(f"  [red]{difference}[/red]")
    if not books.differences:
        console.print("  [green]The simulator, payments, ledger and views agree to the penny.[/green]")
