"""`tollgate dead`: the dead letters of every queue; list, show, replay, discard, and say that nothing was done."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from sqlalchemy import Row
from sqlalchemy.orm import Session

from config.errors import TollgateError
from config.queues import QUEUES
from config.settings import load_database
from models.job import VERDICTS
from ops import job_record
from ops.acting import acting, operator, progress, steps
from ops.connections import open_session
from ops.moments import MOMENT
from ops.output import dry_run_option, instant, json_option, print_json, print_table, say
from tasks.contracts.kinds import CONTRACTS
from workers.jobs.dead import Filter, count, discard, find, in_doubt, not_done, replay
from workers.jobs.operator import Operator

C = TypeVar("C", bound=Callable[..., Any])
SUFFIX = ".dead"
DEFAULT_LIMIT = 50
READ = 1000  # ids that are read at a time
WIDE = 60  # characters of an error in a table


@click.group()
def dead_group() -> None:
    """List, show, replay and discard dead letters, or say that Stripe did nothing for them.

    A job is dead when Tollgate has given it up. Its verdict says what a replay may do: `safe_to_replay` begins anew,
    since it is certain that nothing happened; `reconcile_first` looks at Stripe before anything is sent; `never` is
    not replayed. What is discarded in doubt keeps what it holds, such as a refund's amount; `not-done` frees it. Needs
    TOLLGATE_DATABASE_URL.

    Example: tollgate dead list --queue payments
    """


def _queue(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    name = value.removesuffix(SUFFIX)
    if name not in QUEUES:
        raise click.BadParameter(f"there is no queue '{name}'; there are {', '.join(QUEUES)}")
    return name


def _words(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    # No words are in every error: a script's empty variable would mean all dead letters.
    if value is not None and not value.strip():
        raise click.BadParameter("say some words of the error; to mean all, there is --all")
    return value


def filtered(command: C) -> C:
    """Add the options that say which dead letters are meant."""
    for option in (
        click.option("--until", type=MOMENT, help="Only those that died before then."),
        click.option("--since", type=MOMENT, help="Only those that died then or later: a time, or 30m, 2h, 3d ago."),
        click.option("--error", callback=_words, help="Only those whose last error has these words."),
        click.option("--verdict", type=click.Choice(VERDICTS), help="Only those with this verdict."),
        click.option("--kind", type=click.Choice(sorted(CONTRACTS)), help="Only jobs of this kind."),
        click.option("--queue", callback=_queue, help="Only this queue's, as 'payments' or 'payments.dead'."),
    ):
        command = option(command)
    return command


def many(command: C) -> C:
    """Add what a command needs that acts on many dead letters: ids or filters, who and why, `--dry-run`, `--json`."""
    everything = click.option("--all", "everything", is_flag=True, help="All dead letters there are.")
    return click.argument("job_ids", nargs=-1)(filtered(everything(acting(dry_run_option(json_option(command))))))


@dead_group.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def list_dead(*, limit: int, as_json: bool, **chosen: Any) -> None:
    """List dead letters, those that died first in front.

    Example: tollgate dead list --queue payments --since 2h
    """
    wanted = Filter(**chosen)
    with open_session(load_database()) as session:
        rows, numbers = find(session, wanted, limit), count(session, wanted)
    if as_json:
        print_json({"total": sum(numbers.values()), "by_verdict": numbers, "jobs": [_described(row) for row in rows]})
        return
    print_table([_in_words(row) for row in rows])
    total = sum(numbers.values())
    shown = f", {len(rows)} shown" if len(rows) < total else ""
    say(f"{total} dead letter(s){shown}" + "".join(f"; {number} {name}" for name, number in sorted(numbers.items())))


@dead_group.command()
@click.argument("job_id")
@json_option
def show(*, job_id: str, as_json: bool) -> None:
    """Show one dead letter with its attempts, errors, and what operators did to it.

    Example: tollgate dead show job_4vfwumau74aqehdrd5dyt6k2t6
    """
    with open_session(load_database()) as session:
        record = job_record.read(session, job_id)
    if record["state"] != "dead":
        raise TollgateError(f"{job_id} is not dead but {record['state']}: see 'tollgate jobs show {job_id}'")
    job_record.show(record, as_json=as_json)


@dead_group.command("replay")
@many
def replay_dead(**given: Any) -> None:
    """Make dead jobs due again: the JOB_IDS named, or all that the filters choose. Each obeys its verdict.

    Example: tollgate dead replay --queue payments --since 2h --why "Stripe was away, see INC-42"
    """
    _act("replay", _replayed, **given)


@dead_group.command("discard")
@many
def discard_dead(**given: Any) -> None:
    """Put dead jobs away for good: the JOB_IDS named, or all that the filters choose. Their rows and errors stay.

    What is in doubt (`reconcile_first`) goes on holding what it holds: see `tollgate dead not-done`.

    Example: tollgate dead discard job_4vfwumau74aqehdrd5dyt6k2t6 --why "refunded by hand"
    """
    _act("discard", discard, **given)


@dead_group.command("not-done")
@click.argument("job_ids", nargs=-1, required=True)
@acting
@dry_run_option
@json_option
def not_done_dead(*, job_ids: tuple[str, ...], by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Say of JOB_IDS, dead and in doubt, that Stripe did nothing for them: you have looked in its dashboard.

    A worker looks once more. What Stripe has done after all becomes `done`. Otherwise the job is `cancelled` some two
    minutes later, and what it held is free: the amount of a refund can be given back by another, a payment of a saved
    card is `canceled`. It works on what was discarded as well. Nothing is sent to Stripe but the question.

    Example: tollgate dead not-done job_4vfwumau74aqehdrd5dyt6k2t6 --why "no refund in the dashboard, see INC-42"
    """
    with open_session(load_database()) as session:
        chosen = in_doubt(session, job_ids)
        if not dry_run:
            chosen = not_done(session, job_ids, operator(by, why))
            session.commit()
    if as_json:
        print_json({"action": "not_done", "dry_run": dry_run, "jobs": chosen})
    else:
        for job_id in chosen:
            click.echo(f"{job_id}  {'would be' if dry_run else 'is being'} looked for once more, and cancelled then")
    left = sorted(set(job_ids) - set(chosen))
    if left:
        raise TollgateError(f"left alone, being not dead or not in doubt (verdict reconcile_first): {', '.join(left)}")


def _replayed(session: Session, ids: Sequence[str], by: Operator) -> Sequence[str]:
    return list(replay(session, ids, by))


def _act(
    verb: str,
    do: Callable[[Session, Sequence[str], Operator], Sequence[str]],
    *,
    job_ids: tuple[str, ...],
    everything: bool,
    by: str,
    why: str,
    dry_run: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    if not (job_ids or everything or any(value is not None for value in chosen.values())):
        raise click.UsageError(f"say which: name job ids, give a filter, or --all to {verb} every dead letter")
    wanted = Filter(ids=job_ids or None, **chosen)
    done: list[str] = []
    with open_session(load_database()) as session:
        rows = _all(session, wanted)
        session.rollback()
        refused = [row.id for row in rows if verb == "replay" and row.verdict == "never"]
        ids = [row.id for row in rows if row.id not in set(refused)]
        if not dry_run:
            with progress(verb, len(ids)) as advance:
                for step in steps(ids):
                    done += do(session, step, operator(by, why))
                    session.commit()
                    advance(len(step))
    missing = sorted(set(job_ids) - {row.id for row in rows})
    _report(verb, done=done, chosen=ids, refused=refused, dry_run=dry_run, as_json=as_json)
    _complain(missing=missing, never=sorted(set(job_ids) & set(refused)))


def _all(session: Session, wanted: Filter) -> list[Row[Any]]:
    rows: list[Row[Any]] = []
    while page := find(session, wanted, READ, after=rows[-1] if rows else None):
        rows += page
    return rows


def _report(
    verb: str,
    *,
    done: Sequence[str],
    chosen: Sequence[str],
    refused: Sequence[str],
    dry_run: bool,
    as_json: bool,
) -> None:
    if as_json:
        print_json(
            {"action": verb, "dry_run": dry_run, "jobs": list(chosen if dry_run else done), "never": list(refused)}
        )
    else:
        for job_id in chosen if dry_run else done:
            click.echo(job_id)
        past = {"replay": "replayed", "discard": "discarded"}[verb]
        say(f"{len(chosen)} would be {past}; nothing was changed" if dry_run else f"{len(done)} {past}")
    if refused:
        say(f"{len(refused)} left alone, since their verdict is 'never': {', '.join(refused[:5])}")


def _complain(*, missing: Sequence[str], never: Sequence[str]) -> None:
    """Fail if something was named that could not be done; what a filter chose beside it was done all the same."""
    complaints = []
    if missing:
        complaints.append(f"not among the dead letters: {', '.join(missing)}")
    if never:
        complaints.append(f"not to be replayed, their verdict is 'never': {', '.join(never)}")
    if complaints:
        raise TollgateError("; ".join(complaints))


def _described(row: Row[Any]) -> dict[str, Any]:
    return dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it, whatever the underscore


def _in_words(row: Row[Any]) -> dict[str, str]:
    error = row.last_error or row.problem or {}
    words = f"{error.get('type', '')}: {error.get('message') or error.get('detail') or ''}".strip(": ")
    died: dt.datetime | None = row.finished_at
    return {
        "job": row.id,
        "queue": f"{row.queue}{SUFFIX}",
        "kind": row.kind,
        "subject": row.subject_id,
        "died": instant(died),
        "attempts": str(row.attempts),
        "verdict": row.verdict or "-",
        "last error": words if len(words) <= WIDE else words[: WIDE - 1] + "…",
    }
