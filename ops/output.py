"""What commands have in common in what they print: results on standard output, remarks on standard error."""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


def say(text: str) -> None:
    """Print a remark for people, where it does not mix with the result."""
    click.echo(text, err=True)


def print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a result as JSON; times as RFC 3339."""
    click.echo(json.dumps(value, default=_plain, ensure_ascii=False))


def printable(words: str) -> str:
    """Return words without what a terminal would obey: they may come from anywhere."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)


def print_table(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows in columns under their names; nothing for no rows."""
    if not rows:
        return
    rows = [{name: printable(cell) for name, cell in row.items()} for row in rows]
    names = list(rows[0])
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in names}
    for row in ({name: name.upper() for name in names}, *rows):
        click.echo("  ".join(row[name].ljust(widths[name]) for name in names).rstrip())


def instant(moment: dt.datetime | None) -> str:
    """Write a time in UTC to the second, or a dash."""
    return "-" if moment is None else moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def in_words(value: object) -> str:
    """Write any value of a row for a table: nothing as a dash, times in UTC, numbers without needless digits."""
    if value is None or isinstance(value, dt.datetime):
        return instant(value)
    if isinstance(value, bool):
        return "yes" if value else "-"
    if isinstance(value, float):
        return f"{value:.0f}"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {in_words(inner)}" for name, inner in value.items())
    return printable(str(value))


def _plain(value: object) -> str:
    if isinstance(value, dt.datetime):
        return instant(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
