"""What acting commands have in common: who acts and why, and a bar for what takes long."""

import getpass
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ops.output import say
from workers.jobs.operator import Operator

C = TypeVar("C", bound=Callable[..., Any])
STEP = 200  # rows changed in one transaction: short locks, and a bar that moves


def _said(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say it in a few words: it is kept with the act")
    return value.strip()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name; the second since Python 3.13
        return "unnamed"


def acting(command: C) -> C:
    """Add `--by` and `--why`, which are recorded with the act."""
    by = click.option("--by", default=_user, callback=_said, help="Who acts; by default your user on this machine.")
    why = click.option("--why", required=True, callback=_said, help="The reason, for the record.")
    return by(why(command))


def operator(by: str, why: str) -> Operator:
    """Return who acts."""
    return Operator(by, why)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a long act is: a bar in a terminal, else a line for each step; call with how many more are done."""
    console = Console(stderr=True)
    if not console.is_terminal:
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            if total > STEP:
                say(f"{what}: {done} of {total}")

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)


def steps(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Cut ids into what one transaction takes."""
    return (ids[start : start + STEP] for start in range(0, len(ids), STEP))
