"""`tollgate flags`: what an operator should look at; list, show, and clear what is dealt with."""

from collections.abc import Sequence
from typing import Any

import click
from sqlalchemy import Row, text

from config.errors import TollgateError
from config.settings import load_database
from models.flag import FLAGS
from ops.acting import acting, operator
from ops.connections import open_session
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, say
from workers.services.flags import put_aside

DEFAULT_LIMIT = 50
LARGEST = 2**63 - 1  # of PostgreSQL's bigint
_LIST = text("""
SELECT id AS flag, kind, subject_id AS subject, raised_at AS raised, cleared_at AS cleared, cleared_by, details
FROM flags
WHERE (:everything OR cleared_at IS NULL) AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    AND (CAST(:subject AS text) IS NULL OR subject_id = :subject)
ORDER BY raised_at, id LIMIT :limit
""")
_ONE = text("""
SELECT id AS flag, kind, subject_id AS subject, raised_at AS raised, cleared_at AS cleared, cleared_by, details
FROM flags WHERE id = :id
""")
_ACTS = text("""
SELECT acted_at AS acted, operator, reason FROM operator_actions
WHERE subject = :subject AND action = 'clear' AND details ->> 'flag' = :kind ORDER BY id
""")
_UP = text("""
SELECT id, kind, subject_id FROM flags WHERE id = ANY(:ids) AND cleared_at IS NULL ORDER BY id
""")


@click.group()
def flags_group() -> None:
    """List, show and clear flags: what an operator should look at.

    A check clears by itself what it sees to hold no more. Needs TOLLGATE_DATABASE_URL.

    Example: tollgate flags list --kind late_payment
    """


@flags_group.command("list")
@click.option("--kind", type=click.Choice(FLAGS), help="Only flags of this kind.")
@click.option("--subject", help="Only flags on this payment, job or other thing, such as pay_….")
@click.option("--all", "everything", is_flag=True, help="Those that are cleared as well.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def list_flags(*, as_json: bool, **chosen: Any) -> None:
    """List the flags that are up, the oldest in front.

    Example: tollgate flags list --kind duplicate_payment
    """
    with open_session(load_database()) as session:
        rows = [dict(row) for row in session.execute(_LIST, chosen).mappings()]
    if as_json:
        print_json(rows)
        return
    print_table([{name.replace("_", " "): in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} flag(s){', perhaps more: raise --limit' * (len(rows) == chosen['limit'])}")


@flags_group.command()
@click.argument("flag", type=click.IntRange(1, LARGEST))
@json_option
def show(*, flag: int, as_json: bool) -> None:
    """Show one FLAG by its number, and who cleared it and why.

    Example: tollgate flags show 12
    """
    with open_session(load_database()) as session:
        row = session.execute(_ONE, {"id": flag}).mappings().first()
        if row is None:
            raise TollgateError(f"there is no flag {flag}")
        acts = [dict(act) for act in session.execute(_ACTS, dict(row)).mappings()]
    if as_json:
        print_json({**row, "clearings": acts})
        return
    for name, value in row.items():
        click.echo(f"{name.replace('_', ' ') + ':':<12}{in_words(value)}")
    print_table([{name: in_words(value) for name, value in act.items()} for act in acts])


@flags_group.command("clear")
@click.argument("flags", nargs=-1, required=True, type=click.IntRange(1, LARGEST))
@acting
@dry_run_option
@json_option
def clear_flags(*, flags: tuple[int, ...], by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Clear FLAGS, by their numbers, that are dealt with. The same finding does not raise them again; another one does.

    Example: tollgate flags clear 12 --why "the customer wants both places, see INC-42"
    """
    with open_session(load_database()) as session:
        if dry_run:
            cleared: Sequence[Row[Any]] = session.execute(_UP, {"ids": list(flags)}).all()
        else:
            cleared = put_aside(session, flags, operator(by, why))
            session.commit()
    if as_json:
        named = [{"flag": row.id, "kind": row.kind, "subject": row.subject_id} for row in cleared]
        print_json({"dry_run": dry_run, "cleared": named})
    else:
        for row in cleared:
            click.echo(f"{row.id}  {row.kind}  {row.subject_id}  {'would be ' * dry_run}cleared")
    missing = sorted(set(flags) - {row.id for row in cleared})
    if missing:
        raise TollgateError(f"not up: flag {', '.join(map(str, missing))}")
