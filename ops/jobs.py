"""`tollgate jobs`: list, show and cancel jobs of every kind and state."""

from typing import Any

import click
from sqlalchemy import text

from config.errors import TollgateError
from config.queues import QUEUES
from config.settings import load_database
from models.job import JOB_MOVES
from ops import job_record
from ops.acting import acting, operator
from ops.connections import open_session
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, say
from tasks.contracts.kinds import CONTRACTS
from workers.jobs.cancel import cancel, cancellable

DEFAULT_LIMIT = 50
_LIST = text("""
SELECT id, kind, queue, state, subject_id AS subject, attempts, accepted_at AS accepted, next_run_at AS next_run,
       cancel_asked_at IS NOT NULL AS cancelling
FROM jobs
WHERE (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:queue AS text) IS NULL OR queue = :queue)
    AND (CAST(:kind AS text) IS NULL OR kind = :kind) AND (CAST(:subject AS text) IS NULL OR subject_id = :subject)
ORDER BY accepted_at DESC, id DESC LIMIT :limit
""")
_STATES = text("SELECT id, state FROM jobs WHERE id = ANY(:ids)")


@click.group()
def jobs_group() -> None:
    """List, show and cancel jobs.

    Needs TOLLGATE_DATABASE_URL.

    Example: tollgate jobs list --state checking
    """


@jobs_group.command("list")
@click.option("--state", type=click.Choice(JOB_MOVES.states), help="Only jobs in this state.")
@click.option("--queue", type=click.Choice(QUEUES), help="Only this queue's.")
@click.option("--kind", type=click.Choice(sorted(CONTRACTS)), help="Only jobs of this kind.")
@click.option("--subject", help="Only jobs about this payment, event and so on, such as pay_….")
@click.option("--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def list_jobs(*, as_json: bool, **chosen: Any) -> None:
    """List jobs, the newest in front.

    Example: tollgate jobs list --state waiting --queue payments
    """
    with open_session(load_database()) as session:
        rows = [dict(row) for row in session.execute(_LIST, chosen).mappings()]
    if as_json:
        print_json(rows)
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} job(s){', perhaps more: raise --limit' * (len(rows) == chosen['limit'])}")


@jobs_group.command()
@click.argument("job_id")
@json_option
def show(*, job_id: str, as_json: bool) -> None:
    """Show one job with its attempts, its subject's history, and what operators did to it.

    Example: tollgate jobs show job_4vfwumau74aqehdrd5dyt6k2t6
    """
    with open_session(load_database()) as session:
        record = job_record.read(session, job_id)
    job_record.show(record, as_json=as_json)


@jobs_group.command("cancel")
@click.argument("job_ids", nargs=-1, required=True)
@acting
@dry_run_option
@json_option
def cancel_jobs(*, job_ids: tuple[str, ...], by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Cancel the JOB_IDS: at once nothing more is sent to Stripe for them.

    A job of which Stripe may have been asked already is looked for first: it becomes `done` if Stripe did it, and
    `cancelled` only once that is certain not to be so, some two minutes later.

    Example: tollgate jobs cancel job_4vfwumau74aqehdrd5dyt6k2t6 --why "booked twice, says the customer"
    """
    with open_session(load_database()) as session:
        known = {row.id: row.state for row in session.execute(_STATES, {"ids": list(job_ids)})}
        if dry_run:
            asked = cancellable(session, job_ids)
        else:
            asked = cancel(session, job_ids, operator(by, why))
            session.commit()
    if as_json:
        print_json(
            {"dry_run": dry_run, "asked": asked, "left_alone": {k: v for k, v in known.items() if k not in asked}}
        )
    else:
        for job_id, state in asked.items():
            click.echo(f"{job_id}  {'would be cancelled' if dry_run else 'is being cancelled'}; it was {state}")
    refused = [f"{job_id} is {known.get(job_id, 'unknown')}" for job_id in job_ids if job_id not in asked]
    if refused:
        raise TollgateError(f"left alone, being over, cancelled already, or not there: {'; '.join(refused)}")
