"""`tollgate settings`: are the settings of every kind of process there and right?"""

import sys
from collections.abc import Callable

import click

from config import settings
from config.errors import SettingsError
from ops.cli import EXIT_SETTINGS
from ops.output import json_option, print_json

ROLES: dict[str, Callable[[], object]] = {
    "web": settings.load_ingress,
    "dispatcher": settings.load_worker,
    "worker": settings.load_worker,
    "flower": settings.load_flower,
    "operator": settings.load_operator,
}


@click.group()
def settings_group() -> None:
    """Check the settings of every kind of process.

    Example: tollgate settings check
    """


@settings_group.command()
@click.argument("roles", nargs=-1, type=click.Choice(list(ROLES)))
@json_option
def check(*, roles: tuple[str, ...], as_json: bool) -> None:
    """Load the settings of every role, or of the ROLES named, and print one line each; exit code 78 if one is wrong.

    Only the environment is looked at: no server is asked. No value is shown.

    Example: tollgate settings check web worker
    """
    found = {role: _complaint(ROLES[role]) for role in roles or ROLES}
    if as_json:
        print_json(found)
    else:
        for role, complaint in found.items():
            click.echo(f"{role}: {complaint or 'ok'}")
    if any(found.values()):
        sys.exit(EXIT_SETTINGS)


def _complaint(load: Callable[[], object]) -> str | None:
    try:
        load()
    except SettingsError as error:
        return str(error)
    return None
