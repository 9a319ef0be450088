"""`tollgate keys`: issue, list, rotate and revoke the API keys of clients.

A key is shown once, when it is issued; what is stored is its keyed hash.
"""

import datetime as dt
import re

import click
from sqlalchemy.orm import Session

from config.errors import TollgateError
from config.settings import OperatorSettings, load_operator
from models.client import STRIPE_CLIENT, ApiKey
from ops import key_store
from ops.connections import database_complaints, open_redis, open_session
from ops.output import dry_run_option, in_words, instant, json_option, print_json, print_table, say
from workers.projections import api_keys

DEFAULT_RATE = 50.0  # requests per second: well above a busy booking site, well below what one web process takes
DEFAULT_BURST = 100
DEFAULT_OVERLAP_HOURS = 24.0  # a day to roll a new key out to the website's servers
MAXIMUM_OVERLAP_HOURS = 30 * 24.0
_CLIENT_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


@click.group()
def keys() -> None:
    """Issue, list, rotate and revoke the API keys of clients.

    Needs TOLLGATE_ENV, TOLLGATE_DATABASE_URL, TOLLGATE_REDIS_URL and TOLLGATE_API_KEY_PEPPER.

    Example: KEY=$(tollgate keys issue --client website)
    """


def _client_id(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _CLIENT_ID.fullmatch(value):
        raise click.BadParameter("use 1 to 63 characters of a-z, 0-9, '-' and '_', the first a letter or digit")
    if value == STRIPE_CLIENT:
        raise click.BadParameter(f"'{STRIPE_CLIENT}' stands for Stripe's own webhooks, which carry no key")
    return value


@keys.command()
@click.option("--client", required=True, callback=_client_id, help="The client's id, such as 'website'.")
@click.option("--name", help="The client's name for people; only used when the client is new.")
@click.option(
    "--rate", type=click.FloatRange(0.01, 100_000), default=DEFAULT_RATE, show_default=True, help="Requests per second."
)
@click.option(
    "--burst", type=click.IntRange(1, 1_000_000), default=DEFAULT_BURST, show_default=True, help="Requests at once."
)
@dry_run_option
@json_option
def issue(*, client: str, name: str | None, rate: float, burst: int, dry_run: bool, as_json: bool) -> None:
    """Issue a key, creating the client if it is new. The key is printed once, alone on standard output.

    Example: KEY=$(tollgate keys issue --client website --name "Our website" --rate 50 --burst 100)
    """
    settings = load_operator()
    with open_session(settings.database) as session:
        is_new = key_store.add_client(session, client, name or client)
        issued = key_store.add_key(session, settings, client, rate=rate, burst=burst)
        if dry_run:
            session.rollback()
            note = f"would {'create the client and ' if is_new else ''}issue a key for '{client}'; nothing was changed"
            _report(as_json=as_json, note=note, client=client, client_created=is_new, issued=None)
            return
        session.commit()
        projected = _project(settings, session)
    note = f"issued key {issued.key_id} for '{client}'{' (a new client)' if is_new else ''}; it is not shown again"
    _report(as_json=as_json, note=note, client=client, client_created=is_new, issued=issued.text, projected=projected)


@keys.command("list")
@click.option("--client", callback=_client_id, help="Only this client's keys.")
@click.option("--all", "with_revoked", is_flag=True, help="Revoked keys too.")
@json_option
def list_keys(*, client: str | None, with_revoked: bool, as_json: bool) -> None:
    """List keys by id, without anything secret.

    Example: tollgate keys list --client website --all
    """
    with open_session(load_operator().database) as session:
        rows = [_described(row) for row in key_store.find_keys(session, client, with_revoked=with_revoked)]
    if as_json:
        print_json(rows)
        return
    print_table([{name: in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} key(s)")


@keys.command()
@click.argument("key_id")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, MAXIMUM_OVERLAP_HOURS),
    default=DEFAULT_OVERLAP_HOURS,
    show_default=True,
    help="How long the old key goes on working.",
)
@dry_run_option
@json_option
def rotate(*, key_id: str, overlap_hours: float, dry_run: bool, as_json: bool) -> None:
    """Issue a successor to KEY_ID with the same client and limits; the old key ends after the overlap.

    Example: KEY=$(tollgate keys rotate abcd2345 --overlap-hours 24)
    """
    settings = load_operator()
    with open_session(settings.database) as session:
        old = key_store.live_key(session, key_id)
        client = old.client_id
        issued = key_store.add_key(session, settings, client, rate=old.rate, burst=old.burst)
        ends = key_store.end_key(session, old, dt.timedelta(hours=overlap_hours))
        if dry_run:
            session.rollback()
            note = f"would issue a successor to {key_id} and end it at {instant(ends)}; nothing was changed"
            _report(as_json=as_json, note=note, client=client, old_key_ends=ends, issued=None)
            return
        session.commit()
        projected = _project(settings, session)
    note = f"issued key {issued.key_id} for '{client}'; {key_id} ends at {instant(ends)}"
    _report(as_json=as_json, note=note, client=client, old_key_ends=ends, issued=issued.text, projected=projected)


@keys.command()
@click.argument("key_id")
@dry_run_option
@json_option
def revoke(*, key_id: str, dry_run: bool, as_json: bool) -> None:
    """End KEY_ID at once. A web process may take it for as long as it remembers keys (5 s).

    Example: tollgate keys revoke abcd2345
    """
    settings = load_operator()
    with open_session(settings.database) as session:
        row = key_store.live_key(session, key_id)
        client = row.client_id
        ends = key_store.end_key(session, row, dt.timedelta())
        if dry_run:
            session.rollback()
            _report(as_json=as_json, note=f"would revoke {key_id} of '{client}'; nothing was changed", client=client)
            return
        session.commit()
        projected = _project(settings, session)
    _report(
        as_json=as_json, note=f"revoked {key_id} of '{client}'", client=client, revoked_at=ends, projected=projected
    )


def _project(settings: OperatorSettings, session: Session) -> bool:
    """Tell the ingress; whoever is away only delays it, for the dispatcher repairs what Redis lacks."""
    try:
        with open_redis(settings.redis) as redis, database_complaints():
            api_keys.project_all(session, redis, settings.redis.keyspace)
    except TollgateError as error:  # the change is committed: a new key must still be shown
        say(f"{error}; the change is stored, and the dispatcher projects it within seconds once both are back")
        return False
    return True


def _report(*, as_json: bool, note: str, issued: str | None = None, **facts: object) -> None:
    if as_json:
        print_json({"key": issued, **facts})
        return
    say(note)
    if issued is not None:
        click.echo(issued)


def _described(row: ApiKey) -> dict[str, object]:
    return {
        "id": row.id,
        "client": row.client_id,
        "environment": row.environment,
        "rate": row.rate,
        "burst": row.burst,
        "created_at": row.created_at,
        "revoked_at": row.revoked_at,
    }
