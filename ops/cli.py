"""The command line `tollgate`: its groups, and how a command that fails says so.

Groups are imported when they are asked for, so that `tollgate --help` starts in a moment.
"""

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from config.errors import SettingsError, TollgateError
from config.version import VERSION

EXIT_FAILED = 1
EXIT_USAGE = 2  # as click's own
EXIT_SETTINGS = 78  # EX_CONFIG of sysexits.h: a supervisor need not try again


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a group lives, and its line of help."""

    module: str
    attribute: str
    help: str


GROUPS = {
    "dead": Entry(
        "ops.dead",
        "dead_group",
        "List, show, replay and discard dead letters, or say that Stripe did nothing for them.",
    ),
    "db": Entry("ops.db", "db", "Create and upgrade the database."),
    "disputes": Entry(
        "ops.disputes", "disputes_group", "List and show disputes; send evidence to the bank, or give one in."
    ),
    "events": Entry("ops.events", "events_group", "Bring in the events whose webhooks were lost."),
    "evidence": Entry(
        "ops.evidence", "evidence_group", "Look at what is kept for the day on which a payment is disputed."
    ),
    "explain": Entry("ops.explain", "explain", "Tell all that is recorded of an id, ours or Stripe's, as a timeline."),
    "flags": Entry("ops.flags", "flags_group", "List, show and clear flags: what an operator should look at."),
    "endpoints": Entry(
        "ops.endpoints", "endpoints_group", "Add, list, try, rotate and remove the endpoints of clients' websites."
    ),
    "invariants": Entry("ops.invariants", "invariants_group", "Check whether money and states are as they must be."),
    "jobs": Entry("ops.jobs", "jobs_group", "List, show and cancel jobs."),
    "journal": Entry("ops.journal", "journal_group", "Look at accepted requests; read them again after a restore."),
    "keys": Entry("ops.keys", "keys", "Issue, list, rotate and revoke the API keys of clients."),
    "ledger": Entry(
        "ops.ledger", "ledger_group", "Show what each account holds and what was posted, and check the books."
    ),
    "queue": Entry("ops.queue", "queue_group", "Look at queues; pause and resume them."),
    "readmodel": Entry("ops.readmodel", "readmodel_group", "Write anew what the website reads."),
    "reconcile": Entry(
        "ops.reconcile",
        "reconcile_group",
        "Hold Stripe's balance, payouts and payments against what is known here, and say where they differ.",
    ),
    "redis": Entry("ops.redis", "redis_group", "Print the rules that Redis should hold us to."),
    "schedules": Entry("ops.schedules", "schedules_group", "Look at what is done by the clock."),
    "secrets": Entry("ops.secrets", "secrets_group", "Generate the secrets of a new installation."),
    "settings": Entry("ops.settings", "settings_group", "Check the settings of every kind of process."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the groups."""
        return list(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import one group."""
        entry = GROUPS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(entry.module), entry.attribute)
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of groups without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in GROUPS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="tollgate")
def tollgate() -> None:
    """Operate Tollgate: its jobs, queues, flags and dead letters, its database, API keys, secrets and settings.

    Settings come from the environment. Exit codes: 0 done, 1 failed, 2 wrong usage, 78 a setting is missing or wrong.

    Example: tollgate db migrate
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error of ours becomes one line and an exit code, never a traceback."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        " ".join(given).encode()
    except UnicodeEncodeError:
        click.echo("Error: an argument is no text in UTF-8", err=True)
        sys.exit(EXIT_USAGE)
    try:
        tollgate.main(args=given, prog_name="tollgate")
    except SettingsError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_SETTINGS)
    except TollgateError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(EXIT_FAILED)
