"""`tollgate readmodel`: what the website reads, written anew from PostgreSQL."""

from collections.abc import Iterator, Sequence
from typing import Any

import click
from redis.exceptions import RedisError

from config.errors import TollgateError
from config.settings import load_worker
from ops.acting import progress
from ops.connections import database_complaints, redis_complaints
from ops.output import dry_run_option, json_option, print_json, say
from workers.projections.rebuild import PREFIXES, TABLES, Choice, Rebuilt, count, rebuild_step
from workers.runtime import Runtime, create_runtime


@click.group()
def readmodel_group() -> None:
    """Write anew what the website reads.

    Needs the environment of a worker.

    Example: tollgate readmodel rebuild --dry-run
    """


def _after(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not value.startswith(tuple(PREFIXES)):
        raise click.BadParameter(f"an id begins with {', '.join(PREFIXES)}: the rebuild that stopped has named it")
    return value


@readmodel_group.command()
@click.option("--table", "tables", multiple=True, type=click.Choice(TABLES), help="Only this one's; may be repeated.")
@click.option("--client", help="Only this client's.")
@click.option("--all", "everything", is_flag=True, help="Also what has not changed for longer than views live.")
@click.option("--after", callback=_after, help="Go on after this id, where a rebuild stopped.")
@dry_run_option
@json_option
def rebuild(
    *, tables: tuple[str, ...], client: str | None, everything: bool, after: str | None, dry_run: bool, as_json: bool
) -> None:
    """Write views and lists anew, also those that Redis has in the same version.

    For instance after a change of TOLLGATE_VIEW_KEYS, or when Redis was tampered with. It may run beside everything
    else: an older view never replaces a newer one. If it is stopped it says how to go on.

    Example: tollgate readmodel rebuild --table payments --client website
    """
    settings = load_worker()
    choice = Choice(client, everything, settings.view_seconds)
    runtime = create_runtime(settings, "operator")
    try:
        with database_complaints(), redis_complaints():
            numbers = _numbers(runtime, _places(tables, after), choice)
            result = _nothing() if dry_run else _rebuild(runtime, numbers, choice)
    finally:
        runtime.close()
    chosen = {table: number for table, (_, number) in numbers.items()}
    if as_json:
        print_json({"dry_run": dry_run, "things": chosen, **result})
    elif dry_run:
        say(f"{_in_words(chosen)} would be written anew; nothing was changed")
    else:
        say(f"{_in_words(chosen)}: {result['written']} views and lists written anew")
    if result["left_out"]:
        raise TollgateError(
            f"{len(result['left_out'])} can't be opened, for want of a key of TOLLGATE_ENCRYPTION_KEYS, and are not "
            f"shown: {', '.join(result['left_out'][:5])}"
        )


def _places(tables: Sequence[str], after: str | None) -> dict[str, str]:
    """Return the tables with the ids after which each begins."""
    chosen = [table for table in TABLES if not tables or table in tables]
    if after is None:
        return dict.fromkeys(chosen, "")
    stopped = next(table for prefix, table in PREFIXES.items() if after.startswith(prefix))
    return {
        table: after if table == stopped else "" for table in chosen if TABLES.index(table) >= TABLES.index(stopped)
    }


def _numbers(runtime: Runtime, places: dict[str, str], choice: Choice) -> dict[str, tuple[str, int]]:
    with runtime.reading() as session:
        return {table: (after, count(session, table, choice, after)) for table, after in places.items()}


def _nothing() -> dict[str, Any]:
    return {"written": 0, "left_out": []}


def _rebuild(runtime: Runtime, numbers: dict[str, tuple[str, int]], choice: Choice) -> dict[str, Any]:
    result = _nothing()
    with progress("rebuild", sum(number for _, number in numbers.values())) as advance:
        for table, (after, _) in numbers.items():
            for step in _steps(runtime, table, choice, after):
                result["written"] += step.written
                result["left_out"] += step.left_out
                advance(step.things)
    return result


def _steps(runtime: Runtime, table: str, choice: Choice, after: str) -> Iterator[Rebuilt]:
    try:
        while (step := rebuild_step(runtime, table, choice, after)) is not None:
            after = step.last
            yield step
    except (TollgateError, RedisError, KeyboardInterrupt):
        if after:
            say(f"stopped: go on with --after {after}, and the same options")
        raise


def _in_words(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {table}" for table, number in numbers.items())
