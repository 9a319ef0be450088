"""`tollgate journal`: what was accepted and where it is; reading it again for a database that was restored."""

import datetime as dt
from typing import Any

import click
from redis import Redis
from redis.exceptions import ResponseError
from sqlalchemy import text

from config.keyspace import Keyspace
from config.settings import load_database, load_redis
from ops.acting import acting, operator
from ops.connections import open_redis, open_session
from ops.moments import MOMENT
from ops.output import dry_run_option, in_words, instant, json_option, print_json, print_table, say
from tasks.intake import GROUP, stream_order

MILLISECONDS = 1000
DEFAULT_LIMIT = 50
PAGE = 500  # entries counted at a time: a megabyte or so
_NEW_EPOCH = text("UPDATE projection_epoch SET epoch = epoch + 1 RETURNING epoch")


@click.group()
def journal_group() -> None:
    """Look at accepted requests; read them again after a restore.

    Needs TOLLGATE_REDIS_URL; `reread` also TOLLGATE_DATABASE_URL.

    Example: tollgate journal status
    """


@journal_group.command()
@json_option
def status(*, as_json: bool) -> None:
    """Say how many entries there are, and how many are not taken in, wait for a key or client, or were rejected.

    Example: tollgate journal status
    """
    settings = load_redis()
    with open_redis(settings) as redis:
        facts = _status(redis, settings.keyspace)
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' ') + ':':<18} {in_words(value)}")


def _status(redis: Redis, keyspace: Keyspace) -> dict[str, Any]:
    group = _group(redis, keyspace)
    oldest: Any = redis.xrange(keyspace.journal, count=1)
    return {
        "entries": redis.xlen(keyspace.journal),
        "oldest": _instant(oldest[0][0]) if oldest else None,
        "unread": redis.xlen(keyspace.journal) if group is None else _unread(redis, keyspace, group),
        "being_taken_in": 0 if group is None else group["pending"],
        "waiting": redis.xlen(keyspace.journal_waiting),
        "rejected": redis.xlen(keyspace.journal_rejected),
    }


def _unread(redis: Redis, keyspace: Keyspace, group: dict[str, Any]) -> int:
    # Redis does not know its group's lag after it was set back into the middle, or beside entries that are gone.
    lag = group["lag"]
    return _count(redis, keyspace, f"({group['last-delivered-id'].decode()}") if lag is None else int(lag)


def _group(redis: Redis, keyspace: Keyspace) -> dict[str, Any] | None:
    try:
        groups: Any = redis.xinfo_groups(keyspace.journal)
    except ResponseError as error:
        if not str(error).startswith("no such key"):
            raise
        return None
    return next((group for group in groups if group["name"] == GROUP.encode()), None)


@journal_group.command()
@click.option("--limit", type=click.IntRange(1, 10_000), default=DEFAULT_LIMIT, show_default=True, help="At the most.")
@json_option
def rejected(*, limit: int, as_json: bool) -> None:
    """List entries that were forged or broken, the newest in front, with the reason. They are never taken in.

    Example: tollgate journal rejected --limit 10
    """
    settings = load_redis()
    with open_redis(settings) as redis:
        entries: Any = redis.xrevrange(settings.keyspace.journal_rejected, count=limit)
    rows = [_rejected(stream_id, fields) for stream_id, fields in entries]
    if as_json:
        print_json(rows)
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} rejected entr{'y' if len(rows) == 1 else 'ies'}")


def _rejected(stream_id: bytes, fields: dict[bytes, bytes]) -> dict[str, Any]:
    def field(name: bytes) -> str:
        return "".join(filter(str.isprintable, fields.get(name, b"").decode(errors="replace")))[:200]

    return {
        "rejected": _instant(stream_id),
        "entry": field(b"rejected_id"),
        "job": field(b"job_id"),
        "kind": field(b"kind"),
        "client": field(b"client_id"),
        "why": field(b"rejected_because"),
    }


@journal_group.command()
@click.option("--since", type=MOMENT, help="Only what was accepted then or later; by default all that is kept.")
@acting
@dry_run_option
@json_option
def reread(*, since: dt.datetime | None, by: str, why: str, dry_run: bool, as_json: bool) -> None:
    """Take the journal in again, after the database was restored or failed over and may lack its last commits.

    What the database knows stays as it is; what it lost is taken in, looked up at Stripe before anything is sent, and
    all views are written anew. Doing it twice, or without need, is harmless: what nobody has read yet is read in any
    case. The journal is kept for a day.

    Example: tollgate journal reread --since 2h --why "restored the backup of 04:00"
    """
    redis_settings = load_redis()
    start = f"{max(0, int(since.timestamp() * MILLISECONDS))}-0" if since else "0-0"
    with open_redis(redis_settings) as redis:
        keyspace = redis_settings.keyspace
        number = _count(redis, keyspace, start) if dry_run else None
        if not dry_run:
            with open_session(load_database()) as session:
                epoch = session.execute(_NEW_EPOCH).scalar_one()
                operator(by, why).record(session, "reread", {"journal": {"since": start, "epoch": epoch}})
                # Views of the lost time must not outlive it: the epoch first, then the entries.
                session.commit()
            _set_back(redis, keyspace, start)
    if as_json:
        print_json({"dry_run": dry_run, "since": start, "entries": number})
    elif dry_run:
        say(f"{number} entries would be read again from {start}; nothing was changed")
    else:
        say(f"the dispatcher reads the journal again from {start}: watch 'tollgate journal status'")


def _count(redis: Redis, keyspace: Keyspace, start: str) -> int:
    number, after = 0, start
    while True:
        page: Any = redis.xrange(keyspace.journal, min=after, count=PAGE)
        number += len(page)
        if len(page) < PAGE:
            return number
        after = f"({page[-1][0].decode()}"


def _set_back(redis: Redis, keyspace: Keyspace, start: str) -> None:
    """Let the consumer group begin again before that stream id, and never after what it has read so far."""
    group = _group(redis, keyspace)
    if group is None:
        redis.xgroup_create(keyspace.journal, GROUP, id="0", mkstream=True)
    elif stream_order(start) <= stream_order(group["last-delivered-id"].decode()):
        redis.delete(keyspace.journal_taken_in)  # what is taken in again is kept for as long as if it were new
        redis.xgroup_setid(keyspace.journal, GROUP, _just_before(start))


def _just_before(stream_id: str) -> str:
    milliseconds, _ = stream_order(stream_id)
    return f"{milliseconds - 1}-{2**64 - 1}" if milliseconds else "0-0"


def _instant(stream_id: bytes) -> str:
    milliseconds = int(stream_id.partition(b"-")[0])
    return instant(dt.datetime.fromtimestamp(milliseconds / MILLISECONDS, dt.UTC))
