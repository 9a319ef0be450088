"""`tollgate queue`: what waits in every queue; pause and resume them."""

import click
from sqlalchemy import text

from config.queues import QUEUES
from config.settings import load_database
from ops.acting import acting, operator
from ops.connections import open_session
from ops.output import dry_run_option, in_words, json_option, print_json, print_table, say
from workers.jobs.pause import expired, is_paused, pause, publish_again, resume

# Three parts, for each has an index of its own that leaves out the many jobs that are over.
_QUEUES = text("""
WITH listed AS (
    SELECT queue, state, next_run_at FROM jobs WHERE state IN ('ready', 'waiting', 'checking')
    UNION ALL SELECT queue, state, next_run_at FROM jobs WHERE state = 'running'
    UNION ALL SELECT queue, state, next_run_at FROM jobs WHERE state = 'dead' AND discarded_at IS NULL
)
SELECT names.name AS queue,
    count(*) FILTER (WHERE jobs.state = 'ready') AS ready,
    count(*) FILTER (WHERE jobs.state = 'running') AS running,
    count(*) FILTER (WHERE jobs.state = 'waiting') AS waiting,
    count(*) FILTER (WHERE jobs.state = 'checking') AS checking,
    count(*) FILTER (WHERE jobs.state = 'dead') AS dead,
    max(EXTRACT(EPOCH FROM clock_timestamp() - jobs.next_run_at)) FILTER (
        WHERE jobs.state IN ('ready', 'waiting', 'checking') AND jobs.next_run_at <= clock_timestamp()
    )::float AS due_for_seconds,
    min(queues.paused_at) AS paused_at,
    min(paused.operator) AS paused_by,
    min(paused.reason) AS why
FROM unnest(CAST(:names AS text[])) WITH ORDINALITY AS names (name, position)
LEFT JOIN listed AS jobs ON jobs.queue = names.name
LEFT JOIN queues ON queues.name = names.name
LEFT JOIN LATERAL (
    SELECT operator, reason FROM operator_actions
    WHERE subject = names.name AND action = 'pause' AND queues.paused_at IS NOT NULL ORDER BY id DESC LIMIT 1
) AS paused ON TRUE
GROUP BY names.name, names.position ORDER BY names.position
""")
_STRAYS = text("SELECT COALESCE(sum(strays), 0)::bigint FROM processes")


@click.group()
def queue_group() -> None:
    """Look at queues; pause and resume them.

    Needs TOLLGATE_DATABASE_URL.

    Example: tollgate queue list
    """


@queue_group.command("list")
@json_option
def list_queues(*, as_json: bool) -> None:
    """Say of each queue how many jobs are in which state, how long the oldest has been due, and who paused it and why.

    Example: tollgate queue list
    """
    with open_session(load_database()) as session:
        rows = [dict(row) for row in session.execute(_QUEUES, {"names": list(QUEUES)}).mappings()]
        strays = session.execute(_STRAYS).scalar_one()
    if as_json:
        print_json({"queues": rows, "strays": strays})
        return
    print_table([{name.replace("_", " "): in_words(value) for name, value in row.items()} for row in rows])
    if strays:
        say(f"{strays} message(s) were no hints and were dropped in the last week: see the workers' logs")


@queue_group.command("pause")
@click.argument("queues", nargs=-1, required=True, type=click.Choice(QUEUES))
@acting
@dry_run_option
@json_option
def pause_queues(*, queues: tuple[str, ...], by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Pause QUEUES: from now on none of their jobs is begun; what runs goes on to its end, what is posted is kept.

    A job's maximum age runs on: what is too old when its queue is resumed becomes a dead letter, to be replayed.

    Example: tollgate queue pause payments --why "Stripe asked us to hold back"
    """
    with open_session(load_database()) as session:
        if dry_run:
            changed = {queue: not is_paused(session, queue) for queue in queues}
        else:
            changed = {queue: pause(session, queue, operator(by, why)) for queue in dict.fromkeys(queues)}
            session.commit()
    _report(changed, ("paused", "is paused already"), dry_run=dry_run, as_json=as_json)


@queue_group.command("resume")
@click.argument("queues", nargs=-1, required=True, type=click.Choice(QUEUES))
@acting
@dry_run_option
@json_option
def resume_queues(*, queues: tuple[str, ...], by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Let paused QUEUES go on, and say how many of their jobs have become too old meanwhile.

    Example: tollgate queue resume payments --why "Stripe is well again"
    """
    with open_session(load_database()) as session:
        too_old = {queue: expired(session, queue) for queue in queues if is_paused(session, queue)}
        if dry_run:
            changed = {queue: queue in too_old for queue in queues}
        else:
            changed = {queue: resume(session, queue, operator(by, why)) for queue in dict.fromkeys(queues)}
            session.commit()
            for queue in changed:
                while publish_again(session, queue):
                    session.commit()
    _report(changed, ("resumed", "is not paused"), dry_run=dry_run, as_json=as_json, too_old=too_old)


def _report(
    changed: dict[str, bool],
    words: tuple[str, str],
    *,
    dry_run: bool,
    as_json: bool,
    too_old: dict[str, int] | None = None,
) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "changed": changed} | ({} if too_old is None else {"too_old": too_old}))
        return
    for queue, is_new in changed.items():
        say(f"{queue} {words[1]}" if not is_new else f"{queue} {'would be ' * dry_run}{words[0]}")
        if is_new and too_old and too_old[queue]:
            say(f"{too_old[queue]} of its jobs are too old by now: see `tollgate dead list --queue {queue}` soon")
