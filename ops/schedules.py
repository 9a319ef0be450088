"""`tollgate schedules`: what is done by the clock."""

import dataclasses

import click

from config.settings import load_database, load_plans
from ops.connections import open_session
from ops.output import in_words, json_option, print_json, print_table
from workers.jobs.schedule import standing


@click.group()
def schedules_group() -> None:
    """Look at what is done by the clock.

    Dispatchers give the slots out, each once. Needs TOLLGATE_DATABASE_URL.

    Example: tollgate schedules list
    """


@schedules_group.command("list")
@json_option
def list_schedules(*, as_json: bool) -> None:
    """Say of each piece of scheduled work which slot was given out last, what became of its job, and which comes next.

    Example: tollgate schedules list
    """
    plans = load_plans()
    with open_session(load_database()) as session:
        rows = [dataclasses.asdict(standing(session, plan)) for plan in plans]
    listed = [{"name": row["plan"]["name"], "period": row["plan"]["period"], **row} for row in rows]
    shown = [{name: value for name, value in row.items() if name != "plan"} for row in listed]
    if as_json:
        print_json(shown)
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in shown])
