"""`tollgate endpoints`: where clients' websites hear what became of their payments and refunds.

A secret is shown once, when it is made; what is stored is sealed.
"""

import datetime as dt
import json
import secrets
import time
from collections.abc import Mapping

import click
from sqlalchemy.orm import Session

from config.errors import WebsiteError
from config.settings import EndpointSettings, load_database, load_endpoints
from models.endpoint import Endpoint
from ops import endpoint_store
from ops.connections import open_session
from ops.output import dry_run_option, in_words, instant, json_option, print_json, print_table, say
from workers.gateways.website import Recipient, WebsiteGateway
from workers.gateways.website_address import target_of
from workers.projections.instants import rfc3339
from workers.services.announcements import TYPES
from workers.services.flags import clear_flag
from workers.services.notifications import GONE, TEST, recipient_of

MAXIMUM_OVERLAP_HOURS = 30 * 24.0
NOUNS = tuple(sorted({f"{kind.partition('.')[0]}.*" for kind in TYPES}))


@click.group()
def endpoints_group() -> None:
    """Add, list, try, rotate and remove the endpoints of clients' websites.

    Needs TOLLGATE_ENV, TOLLGATE_DATABASE_URL and TOLLGATE_ENCRYPTION_KEYS.

    Example: tollgate endpoints add https://shop.example.com/hooks --client website
    """


def _types(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...]:
    for kind in value:
        if kind not in TYPES and kind not in NOUNS:
            raise click.BadParameter(f"'{kind}' is none of: {', '.join((*NOUNS, *TYPES))}")
    return tuple(dict.fromkeys(value))


@endpoints_group.command()
@click.argument("url")
@click.option("--client", required=True, help="The client's id, such as 'website'.")
@click.option(
    "--type",
    "types",
    multiple=True,
    callback=_types,
    help="What it hears, such as payment.paid or refund.*; all by default.",
)
@dry_run_option
@json_option
def add(*, url: str, client: str, types: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Tell the website of a client at URL from now on. Its secret is printed once, alone on standard output.

    Example: SECRET=$(tollgate endpoints add https://shop.example.com/hooks --client website --type payment.*)
    """
    settings = load_endpoints()
    target_of(url, on_loopback=settings.websites.on_loopback)
    with open_session(settings.database) as session:
        endpoint_id, secret = endpoint_store.add_endpoint(session, settings.encryption_keys, client, url, types)
        if dry_run:
            session.rollback()
            _report("would add an endpoint; nothing was changed", {"id": None, "dry_run": True}, as_json=as_json)
            return
        session.commit()
    note = f"added {endpoint_id} of '{client}'; its secret is not shown again"
    _report(note, {"id": endpoint_id, "dry_run": False}, secret, as_json=as_json)


@endpoints_group.command("list")
@click.option("--client", help="Only this client's endpoints.")
@json_option
def list_endpoints(*, client: str | None, as_json: bool) -> None:
    """List endpoints, without anything secret.

    Example: tollgate endpoints list --client website
    """
    with open_session(load_database()) as session:
        rows = [_described(row) for row in endpoint_store.find_endpoints(session, client)]
    if as_json:
        print_json(rows)
        return
    print_table([{name.replace("_", " "): in_words(value) for name, value in row.items()} for row in rows])
    say(f"{len(rows)} endpoint(s)")


@endpoints_group.command()
@click.argument("endpoint_id")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, MAXIMUM_OVERLAP_HOURS),
    help="How long the former secret goes on signing; until --finish by default.",
)
@click.option("--finish", is_flag=True, help="End the rotation: from now on only the new secret signs.")
@dry_run_option
@json_option
def rotate(*, endpoint_id: str, overlap_hours: float | None, finish: bool, dry_run: bool, as_json: bool) -> None:
    """Give ENDPOINT_ID a new secret. Until the rotation is finished every notification is signed by both.

    Example: SECRET=$(tollgate endpoints rotate end_… --overlap-hours 24)
    """
    if finish and overlap_hours is not None:
        raise click.UsageError("--finish ends a rotation at once: it takes no --overlap-hours")
    settings = load_endpoints()
    with open_session(settings.database) as session:
        row = endpoint_store.endpoint(session, endpoint_id)
        secret = None
        if finish:
            was = endpoint_store.finish(session, row)
            note = "only its new secret signs" if was else "it was not being rotated"
        else:
            overlap = None if overlap_hours is None else dt.timedelta(hours=overlap_hours)
            secret = endpoint_store.rotate(session, settings.encryption_keys, row, overlap)
            ends = "until --finish" if row.former_until is None else f"until {instant(row.former_until)}"
            note = f"its former secret signs too, {ends}"
        facts = {"id": endpoint_id, "former_until": row.former_until, "dry_run": dry_run}
        if dry_run:
            session.rollback()
            _report(f"{endpoint_id}: {note}; nothing was changed, this was a dry run", facts, as_json=as_json)
            return
        session.commit()
    _report(f"{endpoint_id}: {note}", facts, secret, as_json=as_json)


@endpoints_group.command()
@click.argument("endpoint_id")
@dry_run_option
@json_option
def remove(*, endpoint_id: str, dry_run: bool, as_json: bool) -> None:
    """Tell ENDPOINT_ID nothing more, and forget its secrets; what is on its way to it is refused.

    Example: tollgate endpoints remove end_…
    """
    with open_session(load_database()) as session:
        session.delete(endpoint_store.endpoint(session, endpoint_id))
        clear_flag(session, GONE, endpoint_id)
        _end(session, endpoint_id, "removed", dry_run=dry_run, as_json=as_json)


@endpoints_group.command()
@click.argument("endpoint_id")
@dry_run_option
@json_option
def disable(*, endpoint_id: str, dry_run: bool, as_json: bool) -> None:
    """Tell ENDPOINT_ID nothing until it is enabled; what is on its way to it becomes dead letters.

    Example: tollgate endpoints disable end_…
    """
    with open_session(load_database()) as session:
        row = endpoint_store.endpoint(session, endpoint_id)
        row.disabled_at = row.disabled_at or endpoint_store.now(session)
        _end(session, endpoint_id, "disabled", dry_run=dry_run, as_json=as_json)


@endpoints_group.command()
@click.argument("endpoint_id")
@dry_run_option
@json_option
def enable(*, endpoint_id: str, dry_run: bool, as_json: bool) -> None:
    """Tell ENDPOINT_ID again, after it was disabled or its website had answered 410.

    What happened meanwhile was not kept for it; 'tollgate dead replay' sends what was on its way.

    Example: tollgate endpoints enable end_…
    """
    with open_session(load_database()) as session:
        endpoint_store.endpoint(session, endpoint_id).disabled_at = None
        clear_flag(session, GONE, endpoint_id)
        _end(session, endpoint_id, "enabled", dry_run=dry_run, as_json=as_json)


@endpoints_group.command()
@click.argument("endpoint_id")
@dry_run_option
@json_option
def test(*, endpoint_id: str, dry_run: bool, as_json: bool) -> None:
    """Send ENDPOINT_ID one signed notification of the type endpoint.test, from here, and say what came of it.

    It goes by the same way and rules as the workers' own, but not through a queue. Exit code 1 if it was not taken.

    Example: tollgate endpoints test end_…
    """
    settings = load_endpoints()
    with open_session(settings.database) as session:
        row = endpoint_store.endpoint(session, endpoint_id)
        recipient = recipient_of(session, settings.encryption_keys, row)
    message_id = f"{TEST.replace('.', '_')}_{secrets.token_hex(8)}"
    moment = rfc3339(dt.datetime.fromtimestamp(time.time(), dt.UTC))
    body = {"type": TEST, "timestamp": moment, "data": {"endpoint": endpoint_id}}
    facts = {"id": endpoint_id, "webhook_id": message_id, "body": body, "dry_run": dry_run}
    if not dry_run:
        _send(settings, recipient, message_id, body)
    words = f"would send {json.dumps(body)}" if dry_run else "the website took it"
    _report(f"{endpoint_id}: {words}", facts, as_json=as_json)


def _send(settings: EndpointSettings, recipient: Recipient, message_id: str, body: Mapping[str, object]) -> None:
    """Send; raises WebsiteError, which the command line prints, with what to look at."""
    gateway = WebsiteGateway(settings.websites, width=1)
    try:
        gateway.send(recipient, message_id, json.dumps(body).encode())
    except WebsiteError as error:
        raise WebsiteError(f"not taken: {error}") from error


def _end(session: Session, endpoint_id: str, word: str, *, dry_run: bool, as_json: bool) -> None:
    if dry_run:
        session.rollback()
    else:
        session.commit()
    note = f"{endpoint_id} would be {word}; nothing was changed" if dry_run else f"{endpoint_id} is {word}"
    _report(note, {"id": endpoint_id, "dry_run": dry_run}, as_json=as_json)


def _report(note: str, facts: Mapping[str, object], secret: str | None = None, *, as_json: bool) -> None:
    if as_json:
        print_json({**facts, "secret": secret})
        return
    say(note)
    if secret is not None:
        click.echo(secret)


def _described(row: Endpoint) -> dict[str, object]:
    return {
        "id": row.id,
        "client": row.client_id,
        "url": row.url,
        "types": ", ".join(row.types) or "all",
        "rotating": row.former_secret is not None,
        "former_until": row.former_until,
        "created_at": row.created_at,
        "disabled_at": row.disabled_at,
    }
