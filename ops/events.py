"""`tollgate events`: the events whose webhooks were lost, brought in from Stripe's own list."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import click

from config.settings import load_database, load_worker
from ops.connections import database_complaints, open_session
from ops.moments import MOMENT
from ops.output import dry_run_option, in_words, instant, json_option, print_json, print_table, say
from tasks.contracts.steps import Step
from workers.runtime import Runtime, create_runtime
from workers.services.heals import Look, cursor, read_page, since_cursor, write


@click.group()
def events_group() -> None:
    """Bring in the events whose webhooks were lost.

    A job of the schedule does so every few minutes. `heal` needs the environment of a worker, `status`
    TOLLGATE_DATABASE_URL.

    Example: tollgate events status
    """


@events_group.command()
@click.option(
    "--since", type=MOMENT, help="From then on: 2026-11-01, or 2h, 3d ago; by default where the last look ended."
)
@dry_run_option
@json_option
def heal(*, since: dt.datetime | None, dry_run: bool, as_json: bool) -> None:
    """Compare Stripe's list of events with those that came, and bring in what is missing, as their webhooks would have.

    Stripe lists what happened in the last 30 days. It may run beside everything else, and twice does no harm.

    Example: tollgate events heal --since 2d --dry-run
    """
    runtime = create_runtime(load_worker(), "operator")
    rows: list[dict[str, Any]] = []
    try:
        with database_complaints():
            look = _begin(runtime, since)
            for _ in _pages(runtime, look):
                rows += ({"event": each.id, "type": each.type, "created": each.created} for each in look.lost)
                _bring_in(runtime, look, dry_run=dry_run)
                if not as_json:
                    say(f"{look.events} event(s) compared, {len(rows)} missing")
    finally:
        runtime.close()
    if as_json:
        window = {"since": look.since, "until": look.until}
        print_json({"dry_run": dry_run, **window, "events": look.events, "missing": rows})
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
    words = "nothing was changed" if dry_run else f"{len(rows)} brought in"
    say(f"{look.events} event(s) from {instant(look.since)} to {instant(look.until)}; {words}")


def _begin(runtime: Runtime, since: dt.datetime | None) -> Look:
    with runtime.reading() as session:
        return Look(since_cursor(cursor(session)) if since is None else since)


def _pages(runtime: Runtime, look: Look) -> Iterator[None]:
    while not look.whole:
        read_page(runtime, look, lambda: None)
        yield


def _bring_in(runtime: Runtime, look: Look, *, dry_run: bool) -> None:
    if dry_run:
        look.lost = []
        return
    with runtime.transaction(Step.OUTCOME) as session:
        write(session, runtime, look)


@events_group.command()
@json_option
def status(*, as_json: bool) -> None:
    """Say up to when Stripe's events were compared, and how many lost ones were found since all was well.

    Example: tollgate events status --json
    """
    with open_session(load_database()) as session:
        known = cursor(session)
        names = ("through", "event_id", "looked_at", "missed", "missed_since", "goes_on_in")
        row = {name: None if known is None else getattr(known, name) for name in names}
    if as_json:
        print_json(row)
        return
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ') + ':':<14}{in_words(value)}")
