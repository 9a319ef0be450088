"""`tollgate db`: create and upgrade the database."""

import dataclasses

import click
from alembic.util import CommandError

from config.errors import TollgateError
from config.settings import load_database, load_environment
from models.migrations import downgrade as take_back
from models.migrations import upgrade
from ops import migrations
from ops.connections import database_complaints
from ops.output import dry_run_option, json_option, print_json, say


@click.group()
def db() -> None:
    """Create and upgrade the database.

    Needs TOLLGATE_DATABASE_URL.

    Example: tollgate db migrate
    """


@db.command()
@dry_run_option
@json_option
def migrate(*, dry_run: bool, as_json: bool) -> None:
    """Bring the database to this version's tables; harmless when it is there already.

    Example: tollgate db migrate --dry-run
    """
    url = load_database().url
    with database_complaints():
        missing = migrations.pending(url)
        if missing and not dry_run:
            upgrade(url)
    if as_json:
        print_json(
            {
                "revision": migrations.head(),
                "applied": not dry_run,
                "migrations": [dataclasses.asdict(m) for m in missing],
            }
        )
        return
    for revision in missing:
        say(f"{'would apply' if dry_run else 'applied'} {revision.number}: {revision.summary}")
    say("the database is up to date" if not (missing and dry_run) else f"{len(missing)} to apply; nothing was changed")


@db.command()
@json_option
def current(*, as_json: bool) -> None:
    """Print the revision that the database is at; exit code 1 if migrations are missing.

    Example: tollgate db current
    """
    url = load_database().url
    with database_complaints():
        at, missing = migrations.current(url), migrations.pending(url)
    if as_json:
        print_json({"revision": at, "head": migrations.head(), "pending": [m.number for m in missing]})
    else:
        click.echo(at or "empty")
    if missing:
        raise TollgateError(f"{len(missing)} migration(s) missing: run 'tollgate db migrate'")


@db.command()
@click.argument("revision")
@click.option("--lose-data", is_flag=True, help="Yes, drop what the later migrations have made.")
@dry_run_option
@json_option
def downgrade(*, revision: str, lose_data: bool, dry_run: bool, as_json: bool) -> None:
    """Take the database back to REVISION (`base` for none), losing what later migrations hold.

    Never for a live system: restore a backup instead.

    Example: tollgate db downgrade base --lose-data
    """
    if load_environment() == "live":
        raise TollgateError("a live database is never taken back: restore a backup instead")
    url = load_database().url
    with database_complaints():
        before = migrations.current(url)
        if not (dry_run or lose_data):
            raise TollgateError(
                f"this would lose data of {before or 'an empty database'}: add --lose-data if you mean it"
            )
        if not dry_run:
            _downgrade(url, revision)
        after = migrations.current(url)
    if as_json:
        print_json({"before": before, "revision": after, "applied": not dry_run})
    else:
        say(f"the database {'would go' if dry_run else 'went'} from {before or 'empty'} to {revision}")


def _downgrade(url: str, revision: str) -> None:
    try:
        take_back(url, revision)
    except CommandError as error:
        raise TollgateError(f"cannot go to '{revision}': {error}") from error
