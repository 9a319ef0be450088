"""`tollgate reconcile`: Stripe's balance, payouts and payments held against what is known here."""

import datetime as dt
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from config.currencies import in_units
from config.errors import TollgateError
from config.settings import load_database, load_worker
from ops.acting import progress
from ops.connections import database_complaints, open_session
from ops.moments import MOMENT
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, say
from ops.reconciliation_page import write_page
from ops.reconciliation_sheet import write_sheet
from tasks.contracts.steps import Step
from workers.runtime import Runtime, create_runtime
from workers.services.reconciliation import runs
from workers.services.reconciliation.at_stripe import Asking, pieces
from workers.services.reconciliation.fixes import leave_fixes
from workers.services.reconciliation.reconcile import reconcile_piece, settled_until
from workers.services.reconciliation.result import Result

DEFAULT_LIMIT = 20
ID_BYTES = 13
SHEET, PAGE = "reconciliation.csv", "reconciliation.html"
Window = tuple[dt.datetime, dt.datetime]


@click.group(invoke_without_command=True)
@click.option("--since", type=MOMENT, help="From then on, by Stripe's clock: 2026-11-01, or 12h, 3d ago.")
@click.option("--until", type=MOMENT, help="Up to then; by default up to what may still be on its way.")
@click.option("--fix", is_flag=True, help="Leave jobs behind that mend what they can.")
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), help=f"Write {SHEET} and {PAGE} there.")
@dry_run_option
@json_option
@click.pass_context
def reconcile_group(context: click.Context, /, *, since: dt.datetime | None, **options: Any) -> None:
    """Hold Stripe's balance, payouts and payments against what is known here, and say where they differ.

    A job of the schedule does so every day. Needs the environment of a worker; Stripe's key needs to read only. With
    --dry-run nothing is kept and nothing mended. Ends with 1 if something is wrong or remains unexplained.

    Example: tollgate reconcile --since 2026-11-01 --report build/reconciliation
    """
    if context.invoked_subcommand is not None:
        return
    if since is None:
        raise click.UsageError("say from when on: --since 2026-11-01, or 1d for the last day")
    _reconcile(since=since, **options)


def _reconcile(
    *, since: dt.datetime, until: dt.datetime | None, fix: bool, report: Path | None, dry_run: bool, as_json: bool
) -> None:
    runtime = create_runtime(load_worker(), "operator")
    run_id, left = f"rec_{secrets.token_hex(ID_BYTES)}", dict[str, int]()
    try:
        with database_complaints():
            window, result = _compared(runtime, since, until)
            if not dry_run:
                left = _keep(runtime, run_id, window, result, fix=fix)
    finally:
        runtime.close()
    if report is not None:
        _write(report, window, result)
    facts = {"run": None if dry_run else run_id, "dry_run": dry_run, "since": window[0], "until": window[1]}
    if as_json:
        fixable = sum(each.fix is not None for each in result.breaks)
        print_json({**facts, **result.to_json(), "matched": len(result.matched), "fixable": fixable, "fixes": left})
    else:
        show_result(result)
        _say_fixes(result, left, fix=fix, dry_run=dry_run)
    _judge(result)


def _compared(runtime: Runtime, since: dt.datetime, until: dt.datetime | None) -> tuple[Window, Result]:
    asking, result = Asking(runtime.stripe, lambda: None), Result()
    settled = settled_until(runtime, asking)
    end = settled if until is None else min(until, settled)
    if since >= end:
        raise TollgateError(f"nothing is certain yet of what happened after {in_words(end)}: ask for an earlier time")
    parts = pieces(since, end)
    with progress("reconcile", len(parts)) as advance:
        for piece in parts:
            result.add(reconcile_piece(runtime, piece, settled, asking))
            advance(1)
    return (since, end), result


def _keep(runtime: Runtime, run_id: str, window: Window, result: Result, *, fix: bool) -> dict[str, int]:
    with runtime.transaction(Step.OUTCOME) as session:
        runs.keep(session, run_id, runs.OPERATOR, window, result, finished=True)
        return leave_fixes(session, runtime.settings, run_id, result.breaks) if fix else {}


def _write(folder: Path, window: Window, result: Result) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    writers: dict[str, Callable[[Path, Window, Result], None]] = {SHEET: write_sheet, PAGE: write_page}
    for name, write in writers.items():
        write(folder / name, window, result)
        say(f"written: {folder / name}")


def show_result(result: Result) -> None:
    """Print breaks and totals as tables."""
    breaks = [
        {
            "KIND": each.kind.value,
            "DAY": each.day.isoformat(),
            "OF": each.stripe_id,
            "OURS": in_words(each.payment_id or each.invoice_id),
            "AT STRIPE": _amount(each.at_stripe, each.currency),
            "HERE": _amount(each.here, each.currency),
            "CURRENCY": each.currency,
            "FIX": "-" if each.fix is None else each.fix.value,
        }
        for each in result.breaks
    ]
    print_table(breaks)
    totals = [
        {
            "DAY": day,
            "CURRENCY": currency,
            "STRIPE": in_units(total.stripe, currency),
            "LEDGER": in_units(total.ledger, currency),
            "OTHER DAYS": in_units(total.timing, currency),
            "BREAKS": in_units(total.breaks, currency),
            "REMAINDER": in_units(total.remainder, currency),
        }
        for (day, currency), total in sorted(result.totals.items())
    ]
    if breaks and totals:
        click.echo()
    print_table(totals)
    notices = len(result.breaks) - len(result.wrong)
    say(f"{result.movements} movement(s), {len(result.wrong)} break(s), {notices} notice(s)")


def _amount(value: int | str | None, currency: str) -> str:
    return in_units(value, currency) if isinstance(value, int) else in_words(value)


def _say_fixes(result: Result, left: dict[str, int], *, fix: bool, dry_run: bool) -> None:
    fixable = [each for each in result.breaks if each.fix is not None]
    if left:
        say(f"left behind: {', '.join(f'{number} {name}' for name, number in left.items())}; reconcile again to see")
    elif fixable and (dry_run or not fix):
        say(f"{len(fixable)} of them can be mended by --fix; nothing was changed")


def _judge(result: Result) -> None:
    if not result.is_clean:
        remains = ", ".join(f"{in_units(amount, currency)} {currency}" for currency, amount in result.remainder.items())
        raise TollgateError(
            f"Stripe and the books do not agree: {len(result.wrong)} break(s)"
            + (f", and {remains} that nothing explains" if remains else "")
        )


@reconcile_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def list_runs(*, limit: int, as_json: bool) -> None:
    """List the reconciliations that are kept, the newest in front.

    Example: tollgate reconcile list --limit 5
    """
    with open_session(load_database()) as session:
        rows = [dict(row._mapping) for row in runs.kept(session, limit)]  # noqa: SLF001 - public
    if as_json:
        print_json(rows)
        return
    print_table([{name.replace("_", " "): in_words(value) for name, value in row.items()} for row in rows])


@reconcile_group.command()
@click.argument("run", metavar="RUN")
@click.option("--report", type=click.Path(file_okay=False, path_type=Path), help=f"Write {SHEET} and {PAGE} there.")
@json_option
def show(*, run: str, report: Path | None, as_json: bool) -> None:
    """Show what a reconciliation has found, by its id. Of what matched only the number is kept.

    Example: tollgate reconcile show rec_0f8c2b6f5d9e4a7c81b3d2e6a5 --report build/reconciliation
    """
    with open_session(load_database()) as session:
        row = runs.one(session, run.strip())
    if row is None:
        raise TollgateError(f"there is no reconciliation {json.dumps(run.strip())}")
    result = Result.from_json(row.report)
    if report is not None:
        _write(report, (row.since, row.until), result)
    if as_json:
        print_json(dict(row._mapping))  # noqa: SLF001 - public
        return
    show_result(result)
